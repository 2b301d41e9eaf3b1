/*
 * What containers use, for `stats`. What a container's own cgroup counts comes from there. What it does not count, or
 * everything of a container that has none, comes from /proc of the container's processes, for all such containers by one
 * look at the processes of the host: a hundred containers cost little more than one. Pressure is known for cgroups only.
 */
import { type GroupUsage, groupUsage, type Pressure } from "../../cgroup/usage.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { processesOfEach } from "../container-processes.ts";
import type { Container } from "../state/containers.ts";
import { type NetworkTraffic, networkTraffic } from "./network-traffic.ts";
import { type ProcessUsage, processUsage } from "./process-usage.ts";

/** What a container has used up to now; what is undefined cannot be known. */
export interface ContainerUsage extends ProcessUsage {
  /** Milliseconds, of performance.now(). */
  readonly time: number;
  /** Bytes; the host's memory where it has no limit of its own. */
  readonly memoryLimit: number;
  readonly network: NetworkTraffic | undefined;
  readonly pressure: Pressure | undefined;
}

/**
 * Looks at what containers have used.
 * @param guests as for `processesOfEach`
 * @returns by container id; those that do not run have nothing
 */
export function containersUsage(
  containers: readonly Container[],
  guests: readonly number[],
): ReadonlyMap<string, ContainerUsage> {
  const running = containers.flatMap(({ id, pid, cgroup }) =>
    pid === undefined ? [] : [{ id, pid, group: cgroup === undefined ? undefined : groupUsage(cgroup) }],
  );
  const uncounted = running.filter(({ group }) => !countsAll(group)).map(({ pid }) => pid);
  const processes = uncounted.length === 0 ? new Map<number, readonly number[]>() : processesOfEach(uncounted, guests);
  const hostMemory = memoryOfHost();
  return new Map(
    running.map(({ id, pid, group }) => {
      const members = processes.get(pid);
      const { processorTime, memory, block, tasks } = members === undefined ? NOTHING : processUsage(members);
      const usage: ContainerUsage = {
        time: performance.now(),
        processorTime: group?.processorTime ?? processorTime,
        memory: group?.memory ?? memory,
        memoryLimit: Math.min(group?.memoryLimit ?? hostMemory, hostMemory),
        block: group?.block ?? block,
        tasks: group?.tasks ?? tasks,
        network: networkTraffic(pid),
        pressure: group?.pressure,
      };
      return [id, usage];
    }),
  );
}

const NOTHING: ProcessUsage = { processorTime: 0, memory: 0, block: undefined, tasks: 0 };

function countsAll(group: GroupUsage | undefined): boolean {
  return [group?.processorTime, group?.memory, group?.block, group?.tasks].every((value) => value !== undefined);
}

/**
 * The processor time that was used between two looks.
 * @returns percent of one processor; undefined when there was no look before
 */
export function processorPercent(before: ContainerUsage | undefined, now: ContainerUsage): number | undefined {
  if (before === undefined || now.time <= before.time) return undefined;
  // Less than before: what somebody had used who was not waited for is gone from the sum.
  const used = Math.max(0, now.processorTime - before.processorTime);
  return (100 * used * 1000) / (now.time - before.time);
}

function memoryOfHost(): number {
  return 1024 * Number(/^MemTotal:\s+(\d+)/m.exec(readIfThere("/proc/meminfo") ?? "")?.[1]);
}
