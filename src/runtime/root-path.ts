import { realpathSync } from "node:fs";
import { BunkerError, errnoOf } from "../sys/error.ts";

/**
 * Where a container's root directory really is.
 * @param path absolute
 * @returns the path without symbolic links
 * @throws BunkerError `root_not_found`
 */
export function realRootPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new BunkerError({
      code: "root_not_found",
      operation: "find the root file system",
      object: path,
      errno: errnoOf(error),
    });
  }
}
