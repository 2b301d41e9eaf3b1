import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { openAt2 } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";

const LARGEST_FILE = 16 << 20;

/**
 * Reads a small file of a directory whose content is somebody else's: links in it lead within it.
 * @param root the directory
 * @param path from there
 * @returns undefined when there is no such file
 * @throws BunkerError `file_unreadable`
 */
export function readInRoot(root: string, path: string): Buffer | undefined {
  using directory = new FileDescriptor(openSync(root, OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC));
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY | OpenFlag.O_CLOEXEC;
  const opened = openAt2(directory.number, encodeText(path), flags, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS);
  if (opened === -Errno.ENOENT || opened === -Errno.ENOTDIR) return undefined;
  if (opened < 0) throw unreadable(path, { errno: -opened });
  try {
    const status = fstatSync(opened);
    if (!status.isFile()) throw unreadable(path, { reason: "it is not a file" });
    if (status.size > LARGEST_FILE) throw unreadable(path, { reason: "it is larger than 16 MiB" });
    return readFileSync(opened);
  } finally {
    closeSync(opened);
  }
}

/**
 * Reads a small file of the caller's own.
 * @returns undefined when there is no such file
 * @throws BunkerError `file_unreadable`
 */
export function readOwnFile(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > LARGEST_FILE) throw unreadable(path, { reason: "it is larger than 16 MiB" });
    return bytes;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    throw unreadable(path, { errno });
  }
}

function unreadable(path: string, why: { readonly errno?: number; readonly reason?: string }): BunkerError {
  return new BunkerError({ code: "file_unreadable", operation: "read", object: path, exitStatus: 1, ...why });
}
