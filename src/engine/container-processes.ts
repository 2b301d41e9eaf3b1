import { readdirSync } from "node:fs";
import { namespaceOf } from "../sys/namespace.ts";
import { processOrZombieStatus } from "../sys/process-identity.ts";
import type { Container } from "./state/containers.ts";

/** The first processes of those containers that run in the pid namespaces of others. */
export function guestProcesses(containers: readonly Container[]): readonly number[] {
  return containers.flatMap(({ definition, pid }) =>
    definition.joined?.pid === undefined || pid === undefined ? [] : [pid],
  );
}

/**
 * The processes of containers, in one look at all processes of the host: those in a container's pid namespace and what
 * descends from them or, where it shares the host's, its first process and what descends from it. A container that runs
 * in another one's pid namespace has those in its mount namespace, and what descends from them; the other one has the rest.
 * @param pids of the containers' first processes
 * @param guests those of all containers that run in the pid namespaces of others; they may be among `pids`
 * @returns by all those pids; a container that has ended meanwhile has none
 */
export function processesOfEach(
  pids: readonly number[],
  guests: readonly number[] = [],
): ReadonlyMap<number, readonly number[]> {
  const processes = new Map([...pids, ...guests].map((pid) => [pid, [] as number[]]));
  const host = namespaceOf("self", "pid");
  const isGuest = new Set<number | undefined>(guests);
  const byMounts = new Map(guests.map((pid) => [namespaceOf(pid, "mnt") ?? "", pid]));
  const byNamespace = new Map(
    pids.filter((pid) => !isGuest.has(pid)).map((pid) => [namespaceOf(pid, "pid") ?? "", pid]),
  );
  // Who has ended, or may not be looked at, is in no namespace, and the host's tells nobody apart.
  const sharesHost = byNamespace.delete(host ?? "");
  byNamespace.delete("");
  byMounts.delete("");
  const owners = new Map<number, number | undefined>();
  const ownerOf = (pid: number): number | undefined => {
    if (owners.has(pid)) return owners.get(pid);
    owners.set(pid, undefined);
    const owner = processes.has(pid) ? pid : (guestOf(pid) ?? ownerByNamespace(pid) ?? ownerByParent(pid));
    owners.set(pid, owner);
    return owner;
  };
  const guestOf = (pid: number): number | undefined => {
    if (byMounts.size === 0) return undefined;
    const owner = byMounts.get(namespaceOf(pid, "mnt") ?? "") ?? ownerByParent(pid);
    return isGuest.has(owner) ? owner : undefined;
  };
  const ownerByNamespace = (pid: number) => byNamespace.get(namespaceOf(pid, "pid") ?? "");
  const ownerByParent = (pid: number): number | undefined => {
    const namespace = namespaceOf(pid, "pid");
    if (namespace === undefined || (namespace === host && !sharesHost)) return undefined;
    const status = processOrZombieStatus(pid);
    return status === undefined || status.parent === 0 ? undefined : ownerOf(status.parent);
  };
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const owner = ownerOf(pid);
    if (owner !== undefined) processes.get(owner)?.push(pid);
  }
  return processes;
}
