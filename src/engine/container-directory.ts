/*
 * Where a container's files lie, and how they go away.
 *
 *   <data>/containers/<id>/   a container that stays when it ends
 *   <data>/ephemeral/<id>/    one of `--rm`, which is removed when it ends
 *   <data>/names/<name>       a symbolic link with the id of the container that has the name
 *
 * The process that runs a container holds a flock on the directory as long as it lives. So nothing needs repair after a
 * kill -9: an ephemeral directory whose lock is free belongs to nobody, and whoever starts the next container removes
 * it, and so it is with one of a container that was to stay and never came to have its record; a name whose container is
 * gone is free. A directory may so be removed before its maker has come to lock it: then the maker makes it again.
 */
import {
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { encodeText } from "../sys/byte-string.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { Lock, lock, openAt } from "../sys/file.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";
import { check } from "../sys/system-call.ts";

/** A container's directory, locked by this process. */
export interface ContainerDirectory extends Disposable {
  readonly path: string;
}

/** The file in a container's directory that says what is known of it, once there is something to know. */
export const RECORD_FILE = "container.json";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC } = OpenFlag;

/** Opens a directory to lock it: its descriptor, or the negated error number. */
function openDirectory(path: string): number {
  return openAt(AT_FDCWD, encodeText(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/** Whether some process runs the container of a directory. */
export function isInUse(directory: string): boolean {
  const opened = openDirectory(directory);
  if (opened < 0) return false;
  using file = new FileDescriptor(opened);
  // Shared, so that two who ask at once do not take one another for the container's process.
  return lock(file.number, Lock.shared | Lock.nonBlocking) === -Errno.EAGAIN;
}

/** A new container id: 64 hexadecimal digits, as Docker's. */
export function newContainerId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/**
 * Makes and locks the directory of a new container.
 * @param remove a removal of a directory whose files may belong to subordinate ids
 * @throws BunkerError `name_in_use`; `system_call_failed`, for instance with ENOSPC
 */
export function makeContainerDirectory(
  data: string,
  id: string,
  options: { readonly name: string | undefined; readonly ephemeral: boolean },
  remove: (path: string) => void,
): ContainerDirectory {
  const path = `${data}/${options.ephemeral ? "ephemeral" : "containers"}/${id}`;
  sweep(data, remove);
  const file = makeLocked(path);
  try {
    if (options.name !== undefined) claimName(data, options.name, id);
  } catch (error) {
    remove(path);
    file.close();
    throw error;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      if (options.ephemeral) {
        if (options.name !== undefined) releaseName(data, options.name, id);
        remove(path);
      }
      file.close();
    },
  };
}

/** Makes a directory and locks it. */
function makeLocked(path: string): FileDescriptor {
  for (;;) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new BunkerError({
        code: "system_call_failed",
        operation: "make directory",
        object: path,
        errno: errnoOf(error),
        hint: "Bunker keeps its files below $XDG_DATA_HOME, or ~/.local/share; it must be writable and have room",
      });
    }
    const opened = openDirectory(path);
    if (opened === -Errno.ENOENT) continue;
    const file = new FileDescriptor(check(opened, "open the directory", path));
    check(lock(file.number, Lock.exclusive), "lock", path);
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file.number).ino) return file;
    file.close();
  }
}

/** Removes what killed processes have left of containers that nobody can use any more. */
function sweep(data: string, remove: (path: string) => void): void {
  const ephemeral = namesIn(`${data}/ephemeral`).map((name) => `${data}/ephemeral/${name}`);
  const lasting = namesIn(`${data}/containers`).map((name) => `${data}/containers/${name}`);
  for (const path of [...ephemeral, ...lasting.filter((directory) => !hasRecord(directory))]) {
    const opened = openDirectory(path);
    if (opened < 0) continue;
    using file = new FileDescriptor(opened);
    if (lock(file.number, Lock.exclusive | Lock.nonBlocking) < 0) continue;
    // The record may have been written, and the lock given back, since we looked.
    if (ephemeral.includes(path) || !hasRecord(path)) remove(path);
  }
}

function hasRecord(directory: string): boolean {
  return existsSync(`${directory}/${RECORD_FILE}`);
}

/** The names in a directory; none when there is no such directory. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function claimName(data: string, name: string, id: string): void {
  const link = nameLink(data, name);
  mkdirSync(`${data}/names`, { recursive: true, mode: 0o700 });
  for (;;) {
    try {
      symlinkSync(id, link);
      return;
    } catch (error) {
      if (errnoOf(error) !== Errno.EEXIST) throw error;
    }
    using _locked = lockNames(data);
    const holder = holderOf(link);
    if (holder === undefined) continue;
    if (isAlive(data, holder)) {
      throw new BunkerError({
        code: "name_in_use",
        operation: "use the container name",
        object: `"${name}"`,
        reason: `it is in use by container ${holder.slice(0, 12)}`,
        hint: "choose another name, or remove that container",
      });
    }
    unlinkSync(link);
  }
}

/** Gives a name back, unless it is another container's by now. */
export function releaseName(data: string, name: string, id: string): void {
  const link = nameLink(data, name);
  if (holderOf(link) !== id) return;
  using _locked = lockNames(data);
  if (holderOf(link) === id) unlinkSync(link);
}

function nameLink(data: string, name: string): string {
  return `${data}/names/${name}`;
}

/** Names are removed under a lock, so that what is removed is what was looked at, and not its successor. */
function lockNames(data: string): FileDescriptor {
  const path = `${data}/names`;
  const directory = new FileDescriptor(check(openDirectory(path), "open the directory", path));
  check(lock(directory.number, Lock.exclusive), "lock", path);
  return directory;
}

/** The id of the container that has a name. */
function holderOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function isAlive(data: string, id: string): boolean {
  const [ephemeral, lasting] = [`${data}/ephemeral/${id}`, `${data}/containers/${id}`];
  return isInUse(ephemeral) || hasRecord(lasting) || isInUse(lasting);
}
