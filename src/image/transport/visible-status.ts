import { type Stats, statSync } from "node:fs";

/** What is at a path; undefined also where that cannot be told: whoever opens it then says why. */
export function visibleStatus(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
