/*
 * Finding a path below a root directory that may be hostile: every symbolic link on the way is followed here, within the
 * root, and a directory is only ever opened by its real path, on which the kernel meets no link (openat2(2)). So a path
 * has one real name, by which .dockerignore knows it, and nothing that changes meanwhile leads out.
 */
import { splitPath } from "../../image/layers/entry-path.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { openAt2, readLinkAt, statusAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { checkFile, fileError } from "./file-error.ts";

/** As the kernel has it, MAXSYMLINKS. */
const MOST_LINKS = 40;
const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;

/** Where a path leads. */
export interface TreePath {
  /** Of what is there, from the root and without links; empty for the root. */
  readonly path: ByteString;
  /** Of what is at `path`. */
  readonly status: FileStatus;
  /** The components that follow, of which there is nothing; none when the whole path is there. */
  readonly missing: readonly ByteString[];
}

/**
 * Opens a directory for reading.
 * @param path from the root, without links
 * @throws BunkerError `copy_failed`
 */
export function openRealDirectory(root: number, path: ByteString): FileDescriptor {
  const opened = openAt2(root, nameOf(path), DIRECTORY_FLAGS, Resolve.BENEATH | Resolve.NO_SYMLINKS);
  return new FileDescriptor(checkFile(opened, "open the directory", path));
}

/**
 * Follows a path.
 * @param followLast whether a symbolic link at its end is followed
 * @throws BunkerError `copy_failed` when it leads through something that is no directory, or in a circle
 */
export function followPath(root: number, path: ByteString, followLast: boolean): TreePath {
  const components = path.split("/") as ByteString[];
  let place: { readonly path: ByteString; readonly status: FileStatus } = {
    path: "" as ByteString,
    status: statusIn(root, "" as ByteString, "." as ByteString, path) ?? missingRoot(path),
  };
  const missing: ByteString[] = [];
  for (let links = 0; components.length > 0; ) {
    const name = components.shift() as ByteString;
    if (name === "" || name === ".") continue;
    if (missing.length > 0) {
      // What is not there has no links: `..` takes the component before it away.
      if (name === "..") missing.pop();
      else missing.push(name);
      continue;
    }
    if (name === "..") {
      const [above] = splitPath(place.path);
      place = { path: above, status: statusIn(root, above, "." as ByteString, path) ?? missingRoot(path) };
      continue;
    }
    if (!isType(place.status, FileMode.directory)) throw notDirectory(place.path);
    const status = statusIn(root, place.path, name, path);
    if (status === undefined) {
      missing.push(name);
      continue;
    }
    const isLast = components.every((component) => component === "" || component === ".");
    if (isType(status, FileMode.symbolicLink) && (followLast || !isLast)) {
      if (++links > MOST_LINKS) throw fileError({ operation: "find", path, errno: Errno.ELOOP });
      const target = readLink(root, place.path, name);
      if (target.startsWith("/")) {
        const top = "" as ByteString;
        place = { path: top, status: statusIn(root, top, "." as ByteString, path) ?? missingRoot(path) };
      }
      components.unshift(...(target.split("/") as ByteString[]));
      continue;
    }
    place = { path: insideOf(place.path, name), status };
  }
  return { ...place, missing };
}

/** The path of a name in a directory. */
export function insideOf(directory: ByteString, name: ByteString): ByteString {
  return (directory === "" ? name : `${directory}/${name}`) as ByteString;
}

function nameOf(path: ByteString): ByteString {
  return path === "" ? ("." as ByteString) : path;
}

function statusIn(root: number, directory: ByteString, name: ByteString, asked: ByteString): FileStatus | undefined {
  using opened = openForNames(root, directory);
  const status = statusAt(opened.number, name);
  if (typeof status !== "number") return status;
  if (status !== -Errno.ENOENT) checkFile(status, "find", asked);
  return undefined;
}

function readLink(root: number, directory: ByteString, name: ByteString): ByteString {
  using opened = openForNames(root, directory);
  const target = readLinkAt(opened.number, name);
  if (typeof target !== "number") return target;
  checkFile(target, "read the symbolic link", insideOf(directory, name));
  return "" as ByteString;
}

/** Opens a directory to look at names in it, for which it need not be readable. */
function openForNames(root: number, path: ByteString): FileDescriptor {
  const flags = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  const opened = openAt2(root, nameOf(path), flags, Resolve.BENEATH | Resolve.NO_SYMLINKS);
  return new FileDescriptor(checkFile(opened, "open the directory", path));
}

function missingRoot(path: ByteString): never {
  throw fileError({ operation: "find", path, errno: Errno.ENOENT });
}

function notDirectory(path: ByteString): Error {
  return fileError({ operation: "enter", path, errno: Errno.ENOTDIR });
}
