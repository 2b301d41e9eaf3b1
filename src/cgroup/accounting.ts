/** What a cgroup has used and is using: the accounting files of cgroup v2; Documentation/admin-guide/cgroup-v2.rst. */
import { readGroupFile } from "./group.ts";

/** The lines `KEY NUMBER` of a file. */
export type Counters = Readonly<Record<string, number>>;

/** Bytes and operations on one block device. */
interface DeviceUsage {
  readonly major: number;
  readonly minor: number;
  readonly counters: Counters;
}

/** Shares of time, in percent, in which some or all processes waited, over 10, 60 and 300 seconds; and µs in all. */
export interface Pressure {
  readonly some: Counters;
  readonly full: Counters;
}

/** What a cgroup uses. What its kernel or its controllers do not count is undefined, or empty. */
export interface GroupAccounts {
  /** `usage_usec`, `user_usec`, `system_usec`; with a quota `nr_periods`, `nr_throttled`, `throttled_usec`. */
  readonly cpu: Counters;
  readonly memory: Limited;
  /** The most that was ever used, in bytes; since Linux 5.19. */
  readonly memoryPeak: number | undefined;
  readonly swap: Limited;
  /** memory.stat. */
  readonly memoryStatistics: Counters;
  /** How often something happened: `low`, `high`, `max`, `oom`, `oom_kill`. */
  readonly memoryEvents: Counters;
  readonly processes: Limited;
  readonly devices: readonly DeviceUsage[];
  readonly cpuPressure: Pressure | undefined;
  readonly memoryPressure: Pressure | undefined;
  readonly ioPressure: Pressure | undefined;
}

/** Something that is used up to a limit, bytes or processes. */
export interface Limited {
  readonly current: number | undefined;
  /** Infinity for none. */
  readonly limit: number | undefined;
}

/**
 * Reads what a cgroup uses, with what is below it.
 * @param group its path in the hierarchy
 * @returns undefined when it is gone
 */
export function readAccounts(group: string): GroupAccounts | undefined {
  const cpu = readGroupFile(group, "cpu.stat");
  if (cpu === undefined) return undefined;
  const limited = (name: string): Limited => ({
    current: amount(readGroupFile(group, `${name}.current`)),
    limit: amount(readGroupFile(group, `${name}.max`)),
  });
  return {
    cpu: parseCounters(cpu),
    memory: limited("memory"),
    memoryPeak: amount(readGroupFile(group, "memory.peak")),
    swap: limited("memory.swap"),
    memoryStatistics: parseCounters(readGroupFile(group, "memory.stat")),
    memoryEvents: parseCounters(readGroupFile(group, "memory.events")),
    processes: limited("pids"),
    devices: parseDevices(readGroupFile(group, "io.stat") ?? ""),
    cpuPressure: parsePressure(readGroupFile(group, "cpu.pressure")),
    memoryPressure: parsePressure(readGroupFile(group, "memory.pressure")),
    ioPressure: parsePressure(readGroupFile(group, "io.pressure")),
  };
}

function amount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return text.trim() === "max" ? Number.POSITIVE_INFINITY : Number(text);
}

/** Lines `KEY NUMBER`. */
export function parseCounters(text = ""): Counters {
  const entries = text
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([key]) => key !== undefined && key !== "");
  return Object.fromEntries(entries.map(([key, value]) => [key, Number(value)]));
}

/** Lines `MAJOR:MINOR KEY=NUMBER...`; a device that was never used has a line without pairs on some kernels. */
export function parseDevices(text: string): readonly DeviceUsage[] {
  return text.split("\n").flatMap((line) => {
    const [numbers = "", ...pairs] = line.trim().split(" ");
    const [, major, minor] = /^(\d+):(\d+)$/.exec(numbers) ?? [];
    if (major === undefined || pairs.length === 0) return [];
    return [{ major: Number(major), minor: Number(minor), counters: parsePairs(pairs) }];
  });
}

/** Lines `some` and `full` with pairs such as `avg10=0.00`. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  if (text === undefined || text === "") return undefined;
  const line = (kind: string) => parsePairs(new RegExp(`^${kind} (.*)$`, "m").exec(text)?.[1]?.split(" ") ?? []);
  return { some: line("some"), full: line("full") };
}

function parsePairs(pairs: readonly string[]): Counters {
  return Object.fromEntries(pairs.map((pair) => pair.split("=")).map(([key, value]) => [key, Number(value)]));
}
