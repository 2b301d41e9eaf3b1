import { readdirSync } from "node:fs";
import { processesSharing } from "../runtime/lifecycle/container-processes.ts";
import { processStatus } from "../sys/process-identity.ts";

/**
 * The processes of a container: those of its pid namespace or, where it shares the host's, its first process and what
 * descends from it.
 * @param pid of its first process
 */
export function processesOf(pid: number): number[] {
  return processesSharing(pid) ?? descendants(pid);
}

function descendants(first: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const status = Number.isInteger(pid) ? processStatus(pid) : undefined;
    if (status !== undefined) parents.set(pid, status.parent);
  }
  const descends = (pid: number): boolean => {
    for (let one: number | undefined = pid; one !== undefined; one = parents.get(one)) if (one === first) return true;
    return false;
  };
  return [...parents.keys()].filter(descends);
}
