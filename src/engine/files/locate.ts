/*
 * Finding a file below a root directory that belongs to somebody else, who may change it meanwhile. The kernel resolves
 * each directory on the way with that root (RESOLVE_IN_ROOT of openat2(2)), so that no link and no `..` leads out of it,
 * whatever becomes of them. The last component is looked at, and followed, here: it decides what a copy means.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { openAt2, readLinkAt, statusAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { copyError } from "./copy-error.ts";

const DIRECTORY_PATH = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
/** As the kernel's own limit. */
const MOST_LINKS = 40;

/** A place that has a name, whether or not there is something. */
export interface Location extends Disposable {
  /** The directory that it lies in, and its name there; `.` for a directory that was asked for as itself. */
  readonly parent: FileDescriptor;
  readonly base: ByteString;
  /** The path that has led to it, from the root. */
  readonly path: ByteString;
  /** undefined when there is nothing. */
  readonly status: FileStatus | undefined;
}

/** Opens a directory below a root, with its links resolved in that root; the negated error number otherwise. */
export function openInRoot(root: number, path: string): number {
  const name = (path === "" ? "." : path) as ByteString;
  return openAt2(root, name, DIRECTORY_PATH, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS);
}

/**
 * Finds a place.
 * @param root a descriptor of the root directory
 * @param path from the root; a slash at the end, or a last component `.` or `..`, asks for a directory
 * @param followLinks whether a symbolic link at the end is followed
 * @param shown what the user calls it
 * @throws BunkerError `copy_failed`, also when a directory on the way is missing
 */
export function locate(root: number, path: ByteString, followLinks: boolean, shown: string): Location {
  let current = path;
  for (let links = 0; links <= MOST_LINKS; links++) {
    const bare = current.replace(/\/+$/, "");
    const slash = bare.lastIndexOf("/");
    const base = bare.slice(slash + 1) as ByteString;
    if (base === "" || base === "." || base === "..") return directoryItself(root, bare as ByteString, shown);
    const directory = bare.slice(0, Math.max(slash, 0));
    const parent = new FileDescriptor(found(openInRoot(root, directory), shown));
    const status = statusAt(parent.number, base);
    const isDirectoryWanted = bare !== current;
    if (typeof status !== "number" && isType(status, FileMode.symbolicLink) && (followLinks || isDirectoryWanted)) {
      const target = readLinkAt(parent.number, base);
      parent.close();
      if (typeof target === "number") continue;
      const end = isDirectoryWanted ? "/" : "";
      current = (target.startsWith("/") ? `${target}${end}` : `${directory}/${target}${end}`) as ByteString;
      continue;
    }
    const isMissing = status === -Errno.ENOENT;
    const isWrong = typeof status === "number" ? !isMissing : isDirectoryWanted && !isType(status, FileMode.directory);
    if (isWrong) {
      parent.close();
      found(typeof status === "number" ? status : -Errno.ENOTDIR, shown);
    }
    return {
      parent,
      base,
      path: bare as ByteString,
      status: typeof status === "number" ? undefined : status,
      [Symbol.dispose]: () => parent.close(),
    };
  }
  throw copyError({ operation: "find", object: shown, errno: Errno.ELOOP });
}

function directoryItself(root: number, path: ByteString, shown: string): Location {
  const parent = new FileDescriptor(found(openInRoot(root, path === "" ? "." : path), shown));
  const base = "." as ByteString;
  const status = statusAt(parent.number, base);
  found(typeof status === "number" ? status : 0, shown);
  return {
    parent,
    base,
    path,
    status: typeof status === "number" ? undefined : status,
    [Symbol.dispose]: () => parent.close(),
  };
}

function found(result: number, shown: string): number {
  if (result >= 0) return result;
  throw copyError({ operation: "find", object: shown, errno: -result });
}
