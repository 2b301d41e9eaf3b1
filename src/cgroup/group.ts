/** One cgroup of v2: its files, by its path in the hierarchy; the kernel's Documentation/admin-guide/cgroup-v2.rst. */
import { decodeText } from "../sys/byte-string.ts";
import { directoryEntries } from "../sys/directory-entries.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { openFile, writeText } from "../sys/named-file.ts";
import { OpenFlag } from "../sys/open.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { MOUNT } from "./mount-point.ts";

/** Whether this host has cgroup v2 alone, as limits need it: a hybrid one has its controllers in v1. */
export function isUnified(): boolean {
  return readIfThere(`${MOUNT}/cgroup.controllers`) !== undefined;
}

/**
 * The cgroup of a process, as seen from our cgroup namespace.
 * @returns such as `/user.slice`; undefined without v2, or when the process is gone
 */
export function groupOf(pid: number | "self"): string | undefined {
  return /^0::(.*)$/m.exec(readIfThere(`/proc/${pid}/cgroup`) ?? "")?.[1];
}

/** Whether there is a cgroup of this path. */
export function isThere(group: string): boolean {
  return readGroupFile(group, "cgroup.controllers") !== undefined;
}

/** The content of a file of a cgroup; undefined when one of both is not there. */
export function readGroupFile(group: string, file: string): string | undefined {
  return readIfThere(`${MOUNT}${group}/${file}`);
}

/**
 * Sees whether a cgroup is there.
 * @param operation what it is needed for
 * @throws BunkerError `cgroup_gone`
 */
export function requireGroup(group: string, operation: string): void {
  if (isThere(group)) return;
  throw new BunkerError({
    code: "cgroup_gone",
    operation,
    object: group,
    reason: "somebody else has removed it",
    hint: "a container gets a new one when it is stopped and started again",
  });
}

/**
 * Writes a file of a cgroup.
 * @throws BunkerError `limit_not_set`
 */
export function writeGroupFile(group: string, file: string, value: string): void {
  try {
    writeText(`${MOUNT}${group}/${file}`, value);
  } catch (error) {
    const errno = errnoOf(error);
    throw new BunkerError({
      code: "limit_not_set",
      operation: "set",
      object: `${file} to ${value}`,
      errno,
      ...(errno === Errno.ENOENT || errno === Errno.EACCES ? { reason: "this kernel has no such limit" } : {}),
    });
  }
}

/**
 * Moves a process into a cgroup.
 * @throws BunkerError `cgroup_not_entered`
 */
export function moveInto(group: string, pid: number): void {
  try {
    writeText(`${MOUNT}${group}/cgroup.procs`, String(pid));
  } catch (error) {
    const errno = errnoOf(error);
    throw new BunkerError({
      code: "cgroup_not_entered",
      operation: `move process ${pid} to the cgroup`,
      object: group,
      errno,
      ...(errno === Errno.EBUSY ? { reason: "it hands controllers on to others, so it can have no processes" } : {}),
    });
  }
}

/** The controllers that can limit a cgroup. */
export function controllersOf(group: string): readonly string[] {
  return words(readGroupFile(group, "cgroup.controllers"));
}

/** The names of the cgroups that a cgroup is divided into. */
export function subgroupsOf(group: string): readonly string[] {
  try {
    using directory = openFile(`${MOUNT}${group}`, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
    return [...directoryEntries(directory.number)]
      .filter(({ type }) => type === "directory")
      .map(({ name }) => decodeText(name));
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT || errnoOf(error) === Errno.ENODEV) return [];
    throw new BunkerError({
      code: "cgroup_unreadable",
      operation: "list the cgroup",
      object: group,
      errno: errnoOf(error),
    });
  }
}

/** The pids of the processes in a cgroup and below it; those of other pid namespaces are not among them. */
export function processesOf(group: string): readonly number[] {
  const own = words(readGroupFile(group, "cgroup.procs")).map(Number);
  const inside = subgroupsOf(group).flatMap((name) => processesOf(`${group}/${name}`));
  return [...own, ...inside].filter((pid) => pid > 0);
}

/** Whether there are processes in a cgroup or below it, of any pid namespace. */
export function isPopulated(group: string): boolean {
  return /^populated 1$/m.test(readGroupFile(group, "cgroup.events") ?? "");
}

function words(text: string | undefined): readonly string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}
