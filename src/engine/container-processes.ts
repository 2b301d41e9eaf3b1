import { readdirSync, readlinkSync } from "node:fs";
import { processOrZombieStatus } from "../sys/process-identity.ts";

/**
 * The processes of containers, in one look at all processes of the host: those in a container's pid namespace and what
 * descends from them or, where it shares the host's, its first process and what descends from it.
 * @param pids of the containers' first processes
 * @returns by those pids; a container that has ended meanwhile has none
 */
export function processesOfEach(pids: readonly number[]): ReadonlyMap<number, readonly number[]> {
  const processes = new Map(pids.map((pid) => [pid, [] as number[]]));
  const host = pidNamespace("self");
  const byNamespace = new Map(pids.map((pid) => [pidNamespace(pid) ?? "", pid]));
  // Who has ended is in no namespace, and the host's tells nobody apart.
  const sharesHost = byNamespace.delete(host ?? "");
  byNamespace.delete("");
  const owners = new Map<number, number | undefined>();
  const ownerOf = (pid: number): number | undefined => {
    if (owners.has(pid)) return owners.get(pid);
    owners.set(pid, undefined);
    const owner = processes.has(pid) ? pid : (byNamespace.get(pidNamespace(pid) ?? "") ?? ownerByParent(pid));
    owners.set(pid, owner);
    return owner;
  };
  const ownerByParent = (pid: number): number | undefined => {
    const namespace = pidNamespace(pid);
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

/** Undefined for who has ended or whom we may not look at: somebody else's process is in no container of ours. */
function pidNamespace(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
