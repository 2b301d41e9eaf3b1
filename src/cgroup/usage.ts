/*
 * What the processes of a cgroup have used, as its files say; the kernel's Documentation/admin-guide/cgroup-v2.rst and
 * Documentation/accounting/psi.rst. A file that is not there belongs to a controller that is not enabled, or to a kernel
 * without pressure accounting: that value is not known then.
 */
import { readIfThere } from "../sys/read-if-there.ts";
import { MOUNT } from "./mount-point.ts";

/** The share of the last ten seconds, in percent, in which somebody in the group waited for a resource. */
export interface Pressure {
  readonly cpu: number;
  readonly memory: number;
  readonly io: number;
}

export interface GroupUsage {
  /** Seconds of processor time. */
  readonly processorTime: number | undefined;
  /** Bytes, without the file pages that the kernel would drop first. */
  readonly memory: number | undefined;
  /** Bytes; undefined without one. */
  readonly memoryLimit: number | undefined;
  /** Bytes read from and written to block devices. */
  readonly block: { readonly read: number; readonly written: number } | undefined;
  /** Processes and threads. */
  readonly tasks: number | undefined;
  readonly pressure: Pressure | undefined;
}

/**
 * Reads what a cgroup has used.
 * @param group its path in the hierarchy
 * @returns nothing but undefined when it is gone
 */
export function groupUsage(group: string): GroupUsage {
  return usageInDirectory(`${MOUNT}${group}`);
}

/** The same for the directory of a cgroup. */
export function usageInDirectory(directory: string): GroupUsage {
  const read = (file: string) => readIfThere(`${directory}/${file}`);
  const time = keyedNumber(read("cpu.stat"), "usage_usec");
  const current = numberOf(read("memory.current"));
  const inactive = current === undefined ? 0 : (keyedNumber(read("memory.stat"), "inactive_file") ?? 0);
  const pressures = [read("cpu.pressure"), read("memory.pressure"), read("io.pressure")].map(recentPressure);
  const [cpu, memory, io] = pressures;
  return {
    processorTime: time === undefined ? undefined : time / 1e6,
    memory: current === undefined ? undefined : Math.max(0, current - inactive),
    memoryLimit: numberOf(read("memory.max")),
    block: blockTransfers(read("io.stat")),
    tasks: numberOf(read("pids.current")),
    pressure: cpu === undefined || memory === undefined || io === undefined ? undefined : { cpu, memory, io },
  };
}

/** A file with one number, or `max`. */
function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** A line of a file of keys and numbers. */
function keyedNumber(text: string | undefined, key: string): number | undefined {
  const found = new RegExp(`^${key} (\\d+)$`, "m").exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The sum over all devices. A cgroup that has not used any has an empty file. */
function blockTransfers(text: string | undefined): GroupUsage["block"] {
  if (text === undefined) return undefined;
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(` ${key}=(\\d+)`, "g"))].reduce((all, [, bytes]) => all + Number(bytes), 0);
  return { read: sum("rbytes"), written: sum("wbytes") };
}

function recentPressure(text: string | undefined): number | undefined {
  const found = /^some avg10=(\d+\.\d+)/m.exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}
