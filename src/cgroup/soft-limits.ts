/*
 * What of a container's limits can be kept without a cgroup, as well as an ordinary user can: by who watches its
 * processes (engine/supervisor/soft-limiter.ts). The number of processes, what they have in memory, and the CPU time that
 * they use, in each case after the fact: a process that is faster than who watches it has more for a moment.
 */
import { type Resources, resourceFiles } from "./resource-files.ts";

/** Limits that are kept by watching. What is undefined is not limited. */
export interface SoftLimits {
  /** Processes and threads. */
  readonly processes?: number | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Processors' time, such as 1.5. */
  readonly processors?: number | undefined;
}

const KEPT: ReadonlySet<string> = new Set(["pids.max", "memory.max", "cpu.max"]);
const DEFAULT_PERIOD = 100_000;

/**
 * Splits limits into those that can be kept by watching and the others.
 * @returns the others as the names of files of cgroup v2, and `devices`
 * @throws BunkerError `limit_not_supported`
 */
export function softLimits(resources: Resources): { readonly soft: SoftLimits; readonly unkept: readonly string[] } {
  const { memory = {}, cpu = {}, pids = {} } = resources;
  const positive = (value: number | undefined) => (value !== undefined && value > 0 ? value : undefined);
  const quota = positive(cpu.quota);
  // As much swap as memory is what nobody has asked for.
  const hasUsualSwap = memory.swap === undefined || memory.swap === 2 * (memory.limit ?? 0) || memory.swap < 0;
  const rules = (resources.devices ?? []).length > 0 ? ["devices"] : [];
  const unkept = resourceFiles(resources)
    .map(({ name }) => name)
    .filter((name) => !KEPT.has(name) && !(name === "memory.swap.max" && hasUsualSwap));
  return {
    soft: {
      processes: positive(pids.limit),
      memory: positive(memory.limit),
      processors: quota === undefined ? undefined : quota / (positive(cpu.period) ?? DEFAULT_PERIOD),
    },
    unkept: [...new Set([...unkept, ...rules])],
  };
}

/** Whether there is anything to watch. */
export function hasSoftLimits({ processes, memory, processors }: SoftLimits): boolean {
  return processes !== undefined || memory !== undefined || processors !== undefined;
}
