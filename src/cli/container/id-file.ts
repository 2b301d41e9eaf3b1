import { existsSync, readFileSync, writeFileSync } from "node:fs";
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

/**
 * The id that is in a file, as `--cidfile` of `run` and `create` writes it.
 * @throws BunkerError `id_file_unreadable`
 */
export function readIdFile(path: string): string {
  const refused = (reason: { readonly errno: number } | { readonly reason: string }) =>
    new BunkerError({ code: "id_file_unreadable", operation: "read the container ID file", object: path, ...reason });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw refused({ errno: errnoOf(error) ?? Errno.EIO });
  }
  const [id = ""] = text.trim().split("\n");
  if (id === "") throw refused({ reason: "it is empty" });
  return id;
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
