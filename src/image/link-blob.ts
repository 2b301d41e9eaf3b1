import { linkSync } from "node:fs";
import { Errno } from "../sys/errno.ts";
import { errnoOf } from "../sys/error.ts";

/**
 * Gives a blob's file another name, unless there is a file of that name.
 * @returns whether there was one to be linked; another may have removed it
 */
export function linkBlob(path: string, name: string): boolean {
  try {
    linkSync(path, name);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.EEXIST) return true;
    if (errno === Errno.ENOENT) return false;
    throw error;
  }
}
