import { unlinkSync } from "node:fs";
import { Errno } from "./errno.ts";
import { errnoOf } from "./error.ts";

/**
 * Removes a file; nothing happens when it is not there.
 * @throws the error of `node:fs` for anything else
 */
export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) throw error;
  }
}
