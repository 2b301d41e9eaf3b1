/*
 * The processes of a container: those in its cgroup; without one those in its pid namespace if that is its own, or in its
 * mount namespace if it shares another container's pid namespace.
 */
import { readdirSync } from "node:fs";
import { processesOf } from "../../cgroup/group.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { namespaceOf } from "../../sys/namespace.ts";
import { openIdentified } from "../../sys/process-identity.ts";
import { mountNamespaceMembers } from "../namespace-members.ts";
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
  const processes = group !== undefined ? processesOf(group.path) : processesSharing(directory);
  if (processes !== undefined) return processes;
  throw new BunkerError({
    code: "no_cgroup",
    operation: `${operation} container`,
    object: directory.id,
    reason: "it has neither a pid namespace nor a cgroup of its own, so its processes cannot be told from others",
  });
}

/**
 * The pids, as seen from here, of those in the namespaces of a container's first process.
 * @returns none when it has ended, undefined when it shares them with others
 */
function processesSharing(directory: ContainerDirectory): number[] | undefined {
  const { pid } = directory.state();
  const namespace = namespaceOf(pid, "pid");
  const mounts = namespaceOf(pid, "mnt");
  if (namespace === undefined || mounts === undefined) return [];
  if (namespace === namespaceOf("self", "pid")) return undefined;
  const made = (directory.configuration().linux?.namespaces ?? []).filter(({ path = "" }) => path === "");
  if (!made.some(({ type }) => type === "pid")) {
    const isApart = made.some(({ type }) => type === "mount");
    return isApart ? mountNamespaceMembers(mounts).map((member) => member.pid) : undefined;
  }
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && namespaceOf(name, "pid") === namespace)
    .map(Number);
}
