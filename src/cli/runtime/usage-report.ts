import type { Counters, GroupAccounts, Limited, Pressure } from "../../cgroup/accounting.ts";

const NANOSECONDS = 1000;
/** What engines take for no limit, the largest number of 64 bits. */
const UNLIMITED = 2n ** 64n - 1n;

/** The usage of a container's cgroup in the form in which runc prints it for `events`. */
export function usageReport(usage: GroupAccounts) {
  const { cpu, memoryStatistics } = usage;
  return {
    cpu: {
      usage: {
        total: (cpu["usage_usec"] ?? 0) * NANOSECONDS,
        kernel: (cpu["system_usec"] ?? 0) * NANOSECONDS,
        user: (cpu["user_usec"] ?? 0) * NANOSECONDS,
      },
      throttling: {
        periods: cpu["nr_periods"],
        throttledPeriods: cpu["nr_throttled"],
        throttledTime: cpu["throttled_usec"] === undefined ? undefined : cpu["throttled_usec"] * NANOSECONDS,
      },
      psi: pressureReport(usage.cpuPressure),
    },
    memory: {
      cache: memoryStatistics["file"],
      usage: { ...limitedReport(usage.memory), max: usage.memoryPeak, failcnt: usage.memoryEvents["max"] ?? 0 },
      // As with v1: memory and swap together.
      swap: {
        limit: exactLimit(
          (usage.memory.limit ?? Number.POSITIVE_INFINITY) + (usage.swap.limit ?? Number.POSITIVE_INFINITY),
        ),
        usage: (usage.memory.current ?? 0) + (usage.swap.current ?? 0),
        failcnt: 0,
      },
      raw: memoryStatistics,
      psi: pressureReport(usage.memoryPressure),
    },
    pids: {
      current: usage.processes.current,
      limit: Number.isFinite(usage.processes.limit) ? usage.processes.limit : undefined,
    },
    blkio: {
      ioServiceBytesRecursive: blockReport(usage, "rbytes", "wbytes"),
      ioServicedRecursive: blockReport(usage, "rios", "wios"),
      psi: pressureReport(usage.ioPressure),
    },
  };
}

function limitedReport({ current, limit = Number.POSITIVE_INFINITY }: Limited) {
  return { limit: exactLimit(limit), usage: current };
}

function exactLimit(limit: number): number | bigint {
  return Number.isFinite(limit) ? limit : UNLIMITED;
}

function pressureReport(pressure: Pressure | undefined) {
  if (pressure === undefined) return undefined;
  const line = (counters: Counters) => (Object.keys(counters).length === 0 ? undefined : counters);
  return { some: line(pressure.some), full: line(pressure.full) };
}

function blockReport({ devices }: GroupAccounts, reads: string, writes: string) {
  return devices.flatMap(({ major, minor, counters }) => [
    { major, minor, op: "Read", value: counters[reads] ?? 0 },
    { major, minor, op: "Write", value: counters[writes] ?? 0 },
  ]);
}
