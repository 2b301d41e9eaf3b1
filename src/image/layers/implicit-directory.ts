/*
 * Directories that an archive has no entry for, but entries in. Overlay shows a directory with the owner, mode and
 * times of the uppermost layer that has it, so they get those of the layers below.
 */
import { OPAQUE_ATTRIBUTE } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import {
  changeMode,
  changeOwner,
  getAttribute,
  listAttributes,
  openAt,
  setAttribute,
  setTimes,
  statusOf,
} from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode } from "../../sys/stat.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { checkEntry } from "./unpack-error.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/**
 * Finds the directory that overlay would show at a path.
 * @param lower descriptors of layers' directories, the uppermost first
 * @returns undefined when there is none, or something else hides it
 */
export function findLowerDirectory(lower: readonly number[], path: ByteString): FileDescriptor | undefined {
  for (const layer of lower) {
    const found = findInLayer(layer, path);
    if (found === "hidden") return undefined;
    if (found !== "absent") return found;
  }
  return undefined;
}

/** Looks in one layer; `hidden` when this layer hides what lower ones have at the path. */
function findInLayer(layer: number, path: ByteString): FileDescriptor | "absent" | "hidden" {
  let current = new FileDescriptor(checkEntry(openAt(layer, "." as ByteString, DIRECTORY_FLAGS), "open", path));
  let isOpaque = false;
  for (const component of path === "" ? [] : path.split("/")) {
    isOpaque ||= getAttribute(current.number, OPAQUE_ATTRIBUTE) === "y";
    const next = openAt(current.number, component as ByteString, DIRECTORY_FLAGS);
    current.close();
    if (next === -Errno.ENOENT) return isOpaque ? "hidden" : "absent";
    // A whiteout, a file or a symbolic link.
    if (next === -Errno.ENOTDIR || next === -Errno.ELOOP) return "hidden";
    current = new FileDescriptor(checkEntry(next, "open the lower directory", path));
  }
  return current;
}

/**
 * Gives a directory the owner, mode, times and attributes of another.
 * @param path for messages
 */
export function copyDirectoryMetadata(from: number, to: number, path: ByteString, mapping: LayerMapping): void {
  const status = statusOf(from);
  if (typeof status === "number") {
    checkEntry(status, "read the status of the lower directory", path);
    return;
  }
  if (mapping === "full") checkEntry(changeOwner(to, status.uid, status.gid), "change the owner of", path);
  checkEntry(changeMode(to, status.mode & FileMode.permissions), "change the mode of", path);
  const names = listAttributes(from);
  for (const name of typeof names === "number" ? [] : names) {
    if (name === OPAQUE_ATTRIBUTE) continue;
    const value = getAttribute(from, name);
    // What cannot be read or set here (labels of the host) has not been set by an image either.
    if (typeof value === "string") setAttribute(to, name, value);
  }
  checkEntry(setTimes(to, status.accessed, status.modified), "set the times of", path);
}
