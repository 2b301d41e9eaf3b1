import { existsSync, writeFileSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";

/**
 * Checks that a file for a container's id is not there.
 * @returns the function that makes it and writes the id
 * @throws BunkerError `id_file_exists`, `id_file_refused`
 */
export function writeIdFile(path: string): (id: string) => void {
  if (existsSync(path)) throw exists(path);
  return (id) => {
    try {
      writeFileSync(path, id, { flag: "wx" });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === Errno.EEXIST) throw exists(path);
      throw new BunkerError({ code: "id_file_refused", operation: "write the container ID file", object: path, errno });
    }
  };
}

function exists(path: string): BunkerError {
  return new BunkerError({
    code: "id_file_exists",
    operation: "make the container ID file",
    object: path,
    reason: "it is there already; another container may have it",
    hint: "Delete it or name another file.",
  });
}
