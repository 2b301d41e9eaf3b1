import { readText } from "./named-file.ts";

/** The text of a small file, or undefined when it cannot be read, for whatever reason. */
export function readIfThere(path: string): string | undefined {
  try {
    return readText(path);
  } catch {
    return undefined;
  }
}
