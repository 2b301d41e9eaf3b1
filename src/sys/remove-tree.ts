/*
 * Removing a directory tree whose content is hostile.
 *
 * Every step is relative to an open directory, follows no symbolic link and enters no mount, so nothing outside the
 * tree can be hit, whatever is in it and whoever changes it meanwhile: at worst a name has become something else
 * between two calls, and then the call fails and the name is looked at again. What has gone by itself is what was
 * wanted. Directories that their owner may not read or write (a container made them so) are made accessible where that is
 * refused.
 *
 * One descriptor per level is open. A tree may be deeper than a process may have descriptors, and deeper than any path
 * can name: what lies below `MAXIMUM_DEPTH` is moved up into the top directory and removed in the next round there.
 */
import type { ByteString } from "./byte-string.ts";
import { encodeText } from "./byte-string.ts";
import { type DirectoryEntry, nextEntries } from "./directory-entries.ts";
import { Errno } from "./errno.ts";
import { BunkerError } from "./error.ts";
import {
  changeMode,
  changeModeThroughProc,
  openAt,
  openAt2,
  removeDirectoryAt,
  renameAt,
  statusOf,
  unlinkAt,
} from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "./open.ts";
import { check } from "./system-call.ts";

const MAXIMUM_DEPTH = 128;
const RESOLVE_NO_XDEV = 0x01;
const OPEN_DIRECTORY = OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;
/** How many rounds may end without success because somebody changes the tree meanwhile. */
const FUTILE_ROUNDS = 100;

/** The state of one removal. */
interface Removal {
  /** The top directory in this round, into which parts that are too deep are moved. */
  top: number | undefined;
  /** Number of the next part that is moved. */
  next: number;
  /** Whether a part has been moved in this round. */
  hasMoved: boolean;
  /** Takes directories that are gone, open, instead of having them closed. */
  readonly keepOpen: KeepOpen | undefined;
}

/**
 * Takes the descriptor of a directory that was removed. The kernel frees one when it is closed for the last time, and
 * where the file system discards what it frees, that waits for the disk.
 */
export type KeepOpen = (directory: FileDescriptor) => void;

/**
 * Removes a file or a directory with everything in it. That it does not exist is no error.
 * @param path its own last component is not followed when it is a symbolic link
 * @param keepOpen takes its directories
 * @throws BunkerError `system_call_failed`; EXDEV when something is mounted in the tree
 */
export function removeTree(path: string, keepOpen?: KeepOpen): void {
  let trimmed: string = encodeText(path);
  while (trimmed.endsWith("/")) trimmed = trimmed.slice(0, -1);
  const slash = trimmed.lastIndexOf("/");
  const parent = (slash < 0 ? "." : trimmed.slice(0, slash + 1)) as ByteString;
  const result = openAt(AT_FDCWD, parent, OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC);
  if (result === -Errno.ENOENT) return;
  using directory = new FileDescriptor(check(result, "open the directory", parent));
  removeTreeAt(directory.number, trimmed.slice(slash + 1) as ByteString, keepOpen);
}

/**
 * Removes the file or directory tree `name` in an open directory. That it does not exist is no error.
 * @param parent may be opened with O_PATH
 * @param name a single component
 * @throws BunkerError as `removeTree`
 */
export function removeTreeAt(parent: number, name: ByteString, keepOpen?: KeepOpen): void {
  const removal: Removal = { top: undefined, next: 0, hasMoved: false, keepOpen };
  for (let futile = 0; futile < FUTILE_ROUNDS; ) {
    removal.top = undefined;
    removal.hasMoved = false;
    if (removeEntry(parent, name, 0, removal)) return;
    if (!removal.hasMoved) futile++;
  }
  throw new BunkerError({
    code: "tree_changes",
    operation: "remove",
    object: shown(name),
    reason: "it keeps changing",
  });
}

/** Tries to remove a name; false means that something was moved or has changed meanwhile: another round is needed. */
function removeEntry(parent: number, name: ByteString, depth: number, removal: Removal): boolean {
  const opened = openDirectory(parent, name, depth);
  if (opened === -Errno.ENOENT) return true;
  if (opened === -Errno.ENOTDIR || opened === -Errno.ELOOP) return removeFile(parent, name, depth);
  using directory = new FileDescriptor(check(opened, "open the directory", shown(name)));
  removal.top ??= directory.number;
  if (depth >= MAXIMUM_DEPTH) {
    moveUp(parent, name, removal, removal.top);
    return false;
  }
  let result: number;
  let entries: readonly DirectoryEntry[];
  // It is empty, most often, when those are gone that the kernel has told of at once; to ask for more costs a call.
  do {
    entries = nextEntries(directory.number);
    for (const entry of entries) {
      if (entry.type === "directory" || !removeFile(directory.number, entry.name, depth + 1)) {
        removeEntry(directory.number, entry.name, depth + 1, removal);
      }
    }
    result = withAccess(parent, depth, () => removeDirectoryAt(parent, name));
  } while (result === -Errno.ENOTEMPTY && entries.length > 0);
  if (result === 0) removal.keepOpen?.(new FileDescriptor(directory.release()));
  if (result === 0 || result === -Errno.ENOENT) return true;
  if (result !== -Errno.ENOTEMPTY && result !== -Errno.ENOTDIR) check(result, "remove the directory", shown(name));
  return false;
}

/** Moves a directory into the top one, under a name that nothing there has. */
function moveUp(parent: number, name: ByteString, removal: Removal, top: number): void {
  for (;;) {
    const moved = `.removed-${removal.next++}` as ByteString;
    const result = renameAt(parent, name, top, moved);
    if (result === -Errno.EEXIST || result === -Errno.ENOTEMPTY || result === -Errno.ENOTDIR) continue;
    if (result !== -Errno.ENOENT) check(result, "move", shown(name));
    removal.hasMoved = true;
    return;
  }
}

/** Removes anything but a directory; false when it is a directory. */
function removeFile(parent: number, name: ByteString, depth: number): boolean {
  const result = withAccess(parent, depth, () => unlinkAt(parent, name));
  if (result === -Errno.EISDIR) return false;
  if (result !== -Errno.ENOENT) check(result, "remove", shown(name));
  return true;
}

/** Opens a directory for reading, with that permission for its owner; the descriptor or a negated error number. */
function openDirectory(parent: number, name: ByteString, depth: number): number {
  const open = (flags: number) => openAt2(parent, name, flags | OPEN_DIRECTORY, RESOLVE_NO_XDEV);
  const result = withAccess(parent, depth, () => open(0));
  if (result !== -Errno.EACCES) return result;
  const located = open(OpenFlag.O_PATH);
  if (located < 0) return located;
  using unreadable = new FileDescriptor(located);
  return changeModeThroughProc(unreadable.number, 0o700) < 0 ? result : open(0);
}

/**
 * Does something to a name in a directory, and if that is refused once more with all permissions for the directory's owner.
 * @param depth of the name: the directory that the tree lies in, at 0, is left as it is
 * @returns what it returns
 */
function withAccess(directory: number, depth: number, work: () => number): number {
  const result = work();
  if (result !== -Errno.EACCES || depth === 0) return result;
  const status = statusOf(directory);
  const isAccessible = typeof status === "number" || (status.mode & 0o700) === 0o700;
  return isAccessible || changeMode(directory, 0o700) < 0 ? result : work();
}

function shown(name: ByteString): string {
  return JSON.stringify(name);
}
