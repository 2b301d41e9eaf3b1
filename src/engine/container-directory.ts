/*
 * Where a container's files lie, and how they go away.
 *
 *   <data>/containers/<id>/   a container that stays when it ends
 *   <data>/ephemeral/<id>/    one of `--rm`, which is removed when it ends
 *   <data>/names/<name>       a symbolic link with the id of the container that has the name
 *
 * The process that runs a container holds a flock on the directory's file `lock` as long as it lives. So nothing needs
 * repair after a kill -9: an ephemeral directory whose lock is free belongs to nobody, and whoever starts the next
 * container removes it; a name whose container is gone is free.
 */
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
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

const { O_RDWR, O_CREAT, O_CLOEXEC } = OpenFlag;

function openLock(directory: string, flags: number): number {
  return openAt(AT_FDCWD, encodeText(`${directory}/lock`), flags | O_CLOEXEC, 0o600);
}

/** Whether some process runs the container of a directory. */
export function isInUse(directory: string): boolean {
  const opened = openLock(directory, O_RDWR);
  if (opened < 0) return false;
  using file = new FileDescriptor(opened);
  return lock(file.number, Lock.exclusive | Lock.nonBlocking) === -Errno.EAGAIN;
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
  sweep(`${data}/ephemeral`, remove);
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
  const file = new FileDescriptor(check(openLock(path, O_RDWR | O_CREAT), "make", `${path}/lock`));
  try {
    check(lock(file.number, Lock.exclusive), "lock", path);
    if (options.name !== undefined) claimName(data, options.name, id);
  } catch (error) {
    file.close();
    remove(path);
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

/** Removes what killed processes have left of ephemeral containers. */
function sweep(ephemeral: string, remove: (path: string) => void): void {
  let names: string[];
  try {
    names = readdirSync(ephemeral);
  } catch {
    return;
  }
  for (const name of names) {
    const path = `${ephemeral}/${name}`;
    if (!isAbandoned(path)) continue;
    remove(path);
  }
}

/** Whether nobody holds a directory's lock, although the lock was made: before that its maker is still at it. */
function isAbandoned(path: string): boolean {
  const opened = openLock(path, O_RDWR);
  if (opened < 0) return false;
  using file = new FileDescriptor(opened);
  return lock(file.number, Lock.exclusive | Lock.nonBlocking) === 0;
}

function claimName(data: string, name: string, id: string): void {
  mkdirSync(`${data}/names`, { recursive: true, mode: 0o700 });
  const link = `${data}/names/${name}`;
  for (;;) {
    try {
      symlinkSync(id, link);
      return;
    } catch (error) {
      if (errnoOf(error) !== Errno.EEXIST) throw error;
    }
    const holder = readlinkSync(link);
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

function isAlive(data: string, id: string): boolean {
  return isInUse(`${data}/ephemeral/${id}`) || readdirIfThere(`${data}/containers/${id}`) !== undefined;
}

function readdirIfThere(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}

export function releaseName(data: string, name: string, id: string): void {
  const link = `${data}/names/${name}`;
  try {
    if (readlinkSync(link) === id) unlinkSync(link);
  } catch {
    // Gone already.
  }
}
