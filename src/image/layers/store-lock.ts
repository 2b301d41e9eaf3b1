/*
 * Who may touch `<store>/tmp`.
 *
 * Everything that a store is to show grows in `tmp/` and is renamed to its place when it is whole. Whoever has
 * something there holds a shared lock on `<store>/lock`. Locks of flock(2) end with their holder, however it ends: so
 * whoever gets the lock exclusively knows that all there is in `tmp/` was left by somebody who died, and removes it. What
 * was to be files of containers may belong to subordinate ids; the user who has those leaves it there, and the next one
 * who is root among them removes it.
 */

import { setTimeout } from "node:timers/promises";
import { encodeText } from "../../sys/byte-string.ts";
import { directoryEntries } from "../../sys/directory-entries.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { Lock, lock, openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { makeDirectories } from "../../sys/named-file.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { removeTreeAt } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";

/** Milliseconds between two looks whether another process has given a lock back. */
const INTERVAL = 20;
const LOCK_FLAGS = OpenFlag.O_RDWR | OpenFlag.O_CREAT | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** The right to use `<store>/tmp`. */
export interface StoreLock extends Disposable {
  /** `<store>/tmp`, open. */
  readonly staging: FileDescriptor;
  readonly stagingPath: string;
}

/**
 * Makes the directories of a store where they are missing, and takes the shared lock; removes what the dead have left,
 * when nobody else has the lock, both now and when it is given back.
 * @param store the store's directory
 * @throws BunkerError `store_unusable`, `system_call_failed`
 */
export function lockStore(store: string, remove: typeof removeTreeAt = removeTreeAt): StoreLock {
  const stagingPath = `${store}/tmp`;
  // Other users of the machine must not reach the set-user-id programs of images.
  makeStoreDirectory(stagingPath);
  makeStoreDirectory(`${store}/layers`);
  const file = openLock(`${store}/lock`);
  const staging = openDirectory(stagingPath);
  sweep(file, staging, remove);
  // The way from one kind of lock to the other is not atomic, and need not be: nothing of ours is there yet.
  check(lock(file.number, Lock.shared), "lock", store);
  return {
    staging,
    stagingPath,
    [Symbol.dispose]: () => {
      sweep(file, staging, remove);
      staging.close();
      file.close();
    },
  };
}

/**
 * Makes a directory of a store where it is missing.
 * @throws BunkerError `store_unusable`
 */
export function makeStoreDirectory(path: string): void {
  try {
    makeDirectories(path, 0o700);
  } catch (error) {
    throw new BunkerError({
      code: "store_unusable",
      operation: "make the directory",
      object: path,
      errno: errnoOf(error),
      hint: "XDG_DATA_HOME can name a directory that can be written",
    });
  }
}

/**
 * Opens a file to be locked, and makes it when it is missing. It is open to everybody who gets into the store, which is
 * the caller alone: root of another id map makes it, and it is the caller who locks it the next time.
 */
export function openLock(path: string): FileDescriptor {
  return new FileDescriptor(check(openAt(AT_FDCWD, encodeText(path), LOCK_FLAGS, 0o666), "open", path));
}

/**
 * Waits a moment before one looks again, while all else of this process goes on.
 * @param signal ends it early
 * @throws the reason of `signal`
 */
export async function waitAMoment(signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(INTERVAL, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Opens a directory for reading. */
export function openDirectory(path: string): FileDescriptor {
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  return new FileDescriptor(check(openAt(AT_FDCWD, encodeText(path), flags), "open the directory", path));
}

function sweep(file: FileDescriptor, staging: FileDescriptor, remove: typeof removeTreeAt): void {
  if (lock(file.number, Lock.exclusive | Lock.nonBlocking) < 0) return;
  using fresh = openDirectory(`/proc/self/fd/${staging.number}`);
  for (const { name } of directoryEntries(fresh.number)) {
    try {
      remove(fresh.number, name);
    } catch (error) {
      const isOthers = error instanceof BunkerError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
      if (!isOthers) throw error;
    }
  }
}
