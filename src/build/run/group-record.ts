/*
 * The cgroups of RUNs that are made by hand (cgroup/container-group.ts), so that none of them stays.
 *
 * A scope of systemd's goes by itself. A cgroup that was made by hand is removed by the process of the RUN; and when that is
 * killed, nobody would know of it, since such a container has no record. So before it is made, a file with its path is put
 * into `<data>/build/cgroups/<id>`, on which that process holds a lock (flock) as long as it lives. Whoever comes next and
 * gets the lock (a build, or `prune`) removes the cgroup and the file.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { Lock, lock } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";
import { buildDirectory } from "../cache/build-cache.ts";

/** What is noted of a RUN's cgroup. */
export interface GroupRecord {
  /** Bunker's data directory. */
  readonly data: string;
  /** Of the container. */
  readonly id: string;
  /** The path of the cgroup in the hierarchy. */
  readonly group: string;
}

/**
 * Notes a cgroup that is about to be made, until it has been removed.
 * @param staging a directory of one's own on the file system of the data directory
 */
export function recordGroup({ data, id, group }: GroupRecord, staging: string): Disposable {
  const [made, path] = [`${staging}/cgroup`, `${recordsDirectory(data)}/${id}`];
  mkdirSync(recordsDirectory(data), { recursive: true, mode: 0o700 });
  const file = openSync(made, "wx", 0o600);
  check(lock(file, Lock.exclusive), "lock", made);
  writeSync(file, group);
  // Only now, so that nobody finds it without its lock.
  renameSync(made, path);
  return {
    [Symbol.dispose]: () => {
      rmSync(path, { force: true });
      closeSync(file);
    },
  };
}

/**
 * Removes the cgroups whose RUNs were killed together with who would have done that.
 * @param data Bunker's data directory
 * @param onWarning is told of one that cannot be removed; the next one tries again
 */
export function removeLeftGroups(data: string, onWarning: (message: string) => void): void {
  for (const id of namesIn(recordsDirectory(data))) {
    const path = `${recordsDirectory(data)}/${id}`;
    const file = openIfThere(path);
    if (file === undefined) continue;
    try {
      if (lock(file, Lock.exclusive | Lock.nonBlocking) < 0) continue;
      removeGroupMadeByHand(readFileSync(file, "utf8"), id);
      rmSync(path, { force: true });
    } catch (error) {
      if (!(error instanceof BunkerError)) throw error;
      onWarning(error.message);
    } finally {
      closeSync(file);
    }
  }
}

function recordsDirectory(data: string): string {
  return `${buildDirectory(data)}/cgroups`;
}

function namesIn(directory: string): readonly string[] {
  return ifThere(() => readdirSync(directory)) ?? [];
}

function openIfThere(path: string): number | undefined {
  return ifThere(() => openSync(path, "r"));
}

function ifThere<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
}
