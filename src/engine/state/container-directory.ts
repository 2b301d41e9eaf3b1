/*
 * Where a container's files lie, and who may touch them.
 *
 *   <data>/containers/<id>/   config.json, the writable layer, the log, the supervisor's socket
 *                      lock   an empty file, locked by whoever creates, starts, supervises or removes the container
 *
 * Which containers there are says the state database, not the directories: a name is unique there and a list is one
 * query. What the database cannot say is who is alive; that is the lock's part. It belongs to an open file (F_OFD_SETLK of
 * fcntl(2)), so that a command hands it to the supervisor that it starts by letting it inherit the descriptor, and the
 * kernel gives it back when the last holder dies. Nobody waits for it: a container that somebody works on is told so to
 * everybody else. The exception is a copy of its files, which ends as soon as all is copied: whoever starts the container
 * waits for that, as with Docker, and knows it by a lock that leaves out the file's first byte.
 *
 * The directory comes before the row, and goes before it. What a kill leaves is therefore a directory without a row,
 * whose lock is free: `sweep` removes it. A directory may be taken away before its maker has come to lock it; then the
 * maker makes it again.
 */
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import {
  directoryNames,
  makeDirectories,
  openFile,
  renameFile,
  statusIfThere,
  statusOfOpen,
} from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { isRangeLocked, lockRange, RecordLock } from "../../sys/record-lock.ts";
import { check } from "../../sys/system-call.ts";
import { type ContainerLock, containerDirectory, inheritedLock } from "./container-lock.ts";

/** A new container id: 64 hexadecimal digits, as Docker's. */
export function newContainerId(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

function lockFile(data: string, id: string): string {
  return `${containerDirectory(data, id)}/lock`;
}

/** Opens the lock file and takes the lock; undefined when another has it, or the directory is gone or another by now. */
function take(data: string, id: string, extraFlags: number, firstByte = 0): ContainerLock | undefined {
  const path = lockFile(data, id);
  let lock: ContainerLock;
  try {
    lock = inheritedLock(openFile(path, OpenFlag.O_RDWR | extraFlags, 0o600).release());
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
  const result = lockRange(lock.number, RecordLock.exclusive, firstByte, 0);
  const isStillThere = statusIfThere(path)?.inode === statusOfOpen(lock.number, path).inode;
  if (result === 0 && isStillThere) return lock;
  lock[Symbol.dispose]();
  if (result !== -Errno.EAGAIN && result !== -Errno.EACCES) check(result, "lock container", id);
  return undefined;
}

/**
 * Takes the lock of a container.
 * @returns undefined when another process holds it, or the container is gone
 */
export function lockContainer(data: string, id: string): ContainerLock | undefined {
  return take(data, id, 0);
}

/**
 * Takes the lock of a container for a copy of its files.
 * @returns as `lockContainer`
 */
export function lockForCopy(data: string, id: string): ContainerLock | undefined {
  return take(data, id, 0, 1);
}

/**
 * Takes the lock of a container that somebody began to remove; the lock's file may be gone already.
 * @returns undefined when another process holds it, or the whole directory is gone
 */
export function lockHalfRemoved(data: string, id: string): ContainerLock | undefined {
  return take(data, id, OpenFlag.O_CREAT);
}

/** Whether some process holds the lock of a container: its supervisor, or a command that works on it. */
export function isHeld(data: string, id: string): boolean {
  return isLocked(data, id, 0);
}

/** Whether some process holds the lock of a container otherwise than for a copy of its files. */
export function isHeldForLonger(data: string, id: string): boolean {
  return isLocked(data, id, 1);
}

/** @param length bytes of the lock's file that are looked at from its beginning; 0 for all */
function isLocked(data: string, id: string, length: number): boolean {
  let opened: FileDescriptor;
  try {
    opened = openFile(lockFile(data, id), OpenFlag.O_RDONLY);
  } catch {
    return false;
  }
  using file = opened;
  return isRangeLocked(file.number, 0, length) === 1;
}

/**
 * Makes and locks the directory of a new container.
 * @throws BunkerError `system_call_failed`, for instance with ENOSPC
 */
export function makeContainerDirectory(data: string, id: string): ContainerLock {
  const path = containerDirectory(data, id);
  for (;;) {
    try {
      makeDirectories(path, 0o700);
      const lock = take(data, id, OpenFlag.O_CREAT);
      if (lock !== undefined) return lock;
    } catch (error) {
      const errno = errnoOf(error);
      // Somebody's `sweep` came in between.
      if (errno === Errno.EEXIST || errno === Errno.ENOENT) continue;
      throw new BunkerError({
        code: "system_call_failed",
        operation: "make directory",
        object: path,
        errno,
        hint: "Bunker keeps its files below $XDG_DATA_HOME, or ~/.local/share; it must be writable and have room",
      });
    }
  }
}

/**
 * Removes the directories that killed commands have left, of containers that nobody knows.
 * @param knownIds asks the state database which containers there are
 * @param remove a removal of a directory whose files may belong to subordinate ids
 */
export function sweep(data: string, knownIds: () => ReadonlySet<string>, remove: (path: string) => void): void {
  let ids: string[];
  try {
    ids = directoryNames(`${data}/containers`);
  } catch {
    return;
  }
  if (ids.length === 0) return;
  const known = knownIds();
  for (const id of ids) {
    if (known.has(id)) continue;
    using lock = take(data, id, OpenFlag.O_CREAT);
    // The row may have been written, and the lock given back, since we looked.
    if (lock === undefined || knownIds().has(id)) continue;
    // Out of its maker's way first, who would otherwise make things in it while they are being removed.
    const aside = `removed-${crypto.randomUUID()}`;
    try {
      renameFile(containerDirectory(data, id), containerDirectory(data, aside));
    } catch (error) {
      // Another who sweeps was already removing it, and has removed the file that we locked too.
      if (errnoOf(error) === Errno.ENOENT) continue;
      throw error;
    }
    remove(containerDirectory(data, aside));
  }
}
