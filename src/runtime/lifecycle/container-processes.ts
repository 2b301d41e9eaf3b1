/*
 * The processes of a container: those in its cgroup, or without one those in its pid namespace, if that is its own.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { processesOf } from "../../cgroup/group.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { openIdentified } from "../../sys/process-identity.ts";
import type { ContainerDirectory } from "./container-record.ts";

/**
 * A descriptor of the container's first process.
 * @param operation for the message: `pause`
 * @throws BunkerError `container_not_running`
 */
export function openContainerProcess(directory: ContainerDirectory, operation: string): FileDescriptor {
  const recorded = directory.record()?.process;
  const pidfd = recorded === undefined ? undefined : openIdentified(recorded);
  if (pidfd !== undefined) return pidfd;
  throw new BunkerError({
    code: "container_not_running",
    operation: `${operation} container`,
    object: directory.id,
    reason: "the container is not running",
  });
}

/**
 * The pids of a container's processes, as seen from here.
 * @param operation for the message
 * @throws BunkerError `no_cgroup` when the container shares our pid namespace, so that nothing tells its processes from
 * others
 */
export function containerProcesses(directory: ContainerDirectory, operation: string): readonly number[] {
  const group = directory.record()?.group;
  const processes = group !== undefined ? processesOf(group.path) : processesSharing(directory.state().pid);
  if (processes !== undefined) return processes;
  throw new BunkerError({
    code: "no_cgroup",
    operation: `${operation} container`,
    object: directory.id,
    reason: "it has neither a pid namespace nor a cgroup of its own, so its processes cannot be told from others",
  });
}

/**
 * The pids, as seen from here, of those in the pid namespace of a process.
 * @returns none when it has ended, undefined when it shares our pid namespace
 */
function processesSharing(pid: number): number[] | undefined {
  const namespace = pidNamespace(pid);
  if (namespace === undefined) return [];
  if (namespace === pidNamespace("self")) return undefined;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && pidNamespace(name) === namespace)
    .map(Number);
}

function pidNamespace(pid: number | string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
