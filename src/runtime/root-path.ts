import { type ByteString, decodeText, encodeText } from "../sys/byte-string.ts";
import { BunkerError } from "../sys/error.ts";
import { openAt, readLinkAt } from "../sys/file.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";

/**
 * Where a container's root directory really is.
 * @param path absolute
 * @returns the path without symbolic links
 * @throws BunkerError `root_not_found`
 */
export function realRootPath(path: string): string {
  const real = realPath(path);
  if (typeof real === "string") return real;
  throw new BunkerError({
    code: "root_not_found",
    operation: "find the root file system",
    object: path,
    errno: -real,
  });
}

/** A path without symbolic links, or a negative errno. */
export function realPath(path: string): string | number {
  const opened = openAt(AT_FDCWD, encodeText(path), OpenFlag.O_PATH | OpenFlag.O_CLOEXEC);
  if (opened < 0) return opened;
  using file = new FileDescriptor(opened);
  // The kernel has the path that it has found by.
  const real = readLinkAt(AT_FDCWD, `/proc/self/fd/${file.number}` as ByteString);
  return typeof real === "number" ? real : decodeText(real);
}
