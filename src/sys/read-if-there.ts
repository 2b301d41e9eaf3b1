import { readFileSync } from "node:fs";

/** The text of a small file, or undefined when it cannot be read, for whatever reason. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
