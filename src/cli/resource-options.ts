/* Docker's options for the limits of a container, and what they come to in `linux.resources`. */

import type { Resources } from "../cgroup/resource-files.ts";
import { BunkerError } from "../sys/error.ts";
import { nodeOperatingSystem } from "../sys/node-modules.ts";
import { InvalidValue } from "./invalid-value.ts";
import { flag, list, single } from "./option.ts";
import type { OptionTable, OptionValues } from "./option-table.ts";
import { deviceRate } from "./values/device-rate-option.ts";
import { integerBetween, parseBytes } from "./values/numbers.ts";
import { resourceList } from "./values/resource-list-option.ts";

/** Docker's: with less not even a shell starts. */
const LEAST_MEMORY = 6 * 1024 * 1024;
const CPU_PERIOD = 100_000;
const MOST_PROCESSES = 4_194_304;
const MOST_OPERATIONS = 2 ** 31 - 1;

function parseMemory(text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== 0 && bytes < LEAST_MEMORY) throw new InvalidValue("the least memory that can be asked for is 6m");
  return bytes;
}

function parseProcessors(text: string): number {
  const number = Number(text);
  const count = nodeOperatingSystem().availableParallelism();
  if (!/^\d*\.?\d+$/.test(text) || (number !== 0 && number < 0.01) || number > count) {
    throw new InvalidValue(`expected a number from 0.01 to ${count}, as many processors as there are`);
  }
  return number;
}

/** 0 is as good as not given. */
function zeroOr(parse: (text: string) => number): (text: string) => number {
  return (text) => (text === "0" ? 0 : parse(text));
}

function parseControlFile(text: string): readonly [string, string] {
  const match = /^([a-z]+\.[\w.-]+)=(.*)$/s.exec(text);
  if (match === null) throw new InvalidValue("expected FILE=VALUE, such as memory.high=1073741824");
  return [match[1] ?? "", match[2] ?? ""];
}

/** For what cgroup v2 has no means for: only the value that asks for nothing is taken, as engines pass it. */
function onlyUnset(unset: string, reason: string): (text: string) => undefined {
  return (text) => {
    if (text !== unset) throw new InvalidValue(reason);
    return undefined;
  };
}

/** The options of `run`, `create` and `update`. */
export const resourceOptions = {
  memory: single({
    name: "memory",
    short: "m",
    valueName: "BYTES",
    description: "Memory that the container may use, such as 512m",
    parse: parseMemory,
  }),
  memoryReservation: single({
    name: "memory-reservation",
    valueName: "BYTES",
    description: "Memory that others take last when it gets short",
    parse: parseMemory,
  }),
  memorySwap: single({
    name: "memory-swap",
    valueName: "BYTES",
    description: "Memory and swap together; -1 for as much swap as there is",
    parse: (text) => (text === "-1" ? -1 : parseBytes(text)),
  }),
  processors: single({
    name: "cpus",
    valueName: "NUMBER",
    description: "How many processors' time it may use, such as 1.5",
    parse: parseProcessors,
  }),
  cpuShares: single({
    name: "cpu-shares",
    short: "c",
    valueName: "NUMBER",
    description: "Its share of the CPU time when that is short; 1024 is usual",
    parse: integerBetween(0, 262_144),
  }),
  cpuPeriod: single({
    name: "cpu-period",
    valueName: "MICROSECONDS",
    description: "Period of the CPU quota",
    parse: zeroOr(integerBetween(1000, 1_000_000)),
  }),
  cpuQuota: single({
    name: "cpu-quota",
    valueName: "MICROSECONDS",
    description: "CPU time in each period; -1 for no limit",
    parse: zeroOr((text) => (text === "-1" ? -1 : integerBetween(1000, Number.MAX_SAFE_INTEGER)(text))),
  }),
  processorSet: single({
    name: "cpuset-cpus",
    valueName: "LIST",
    description: "Processors that it may run on, such as 0-2,4",
    parse: resourceList("processors"),
  }),
  memoryNodes: single({
    name: "cpuset-mems",
    valueName: "LIST",
    description: "Memory nodes that it may use, such as 0,1",
    parse: resourceList("memory nodes"),
  }),
  processLimit: single({
    name: "pids-limit",
    valueName: "NUMBER",
    description: "How many processes and threads it may have; -1 for no limit",
    parse: integerBetween(-1, MOST_PROCESSES),
  }),
  blockWeight: single({
    name: "blkio-weight",
    valueName: "NUMBER",
    description: "Its share of the block I/O, 10 to 1000; 0 for the usual",
    parse: zeroOr(integerBetween(10, 1000)),
  }),
  readRates: list({
    name: "device-read-bps",
    valueName: "DEVICE:NUMBER",
    description: "Bytes a second that it may read from a device",
    parse: deviceRate(parseBytes),
  }),
  writeRates: list({
    name: "device-write-bps",
    valueName: "DEVICE:NUMBER",
    description: "Bytes a second that it may write to a device",
    parse: deviceRate(parseBytes),
  }),
  readOperations: list({
    name: "device-read-iops",
    valueName: "DEVICE:NUMBER",
    description: "How often a second it may read from a device",
    parse: deviceRate(integerBetween(1, MOST_OPERATIONS)),
  }),
  writeOperations: list({
    name: "device-write-iops",
    valueName: "DEVICE:NUMBER",
    description: "How often a second it may write to a device",
    parse: deviceRate(integerBetween(1, MOST_OPERATIONS)),
  }),
  blockWeights: list({
    name: "blkio-weight-device",
    valueName: "DEVICE:NUMBER",
    description: "Its share of the I/O of a device, 10 to 1000",
    parse: deviceRate(integerBetween(10, 1000)),
  }),
  swappiness: single({
    name: "memory-swappiness",
    valueName: "NUMBER",
    description: "-1 only: cgroup v2 has one swappiness for the whole host",
    parse: onlyUnset("-1", "cgroup v2 has one swappiness for the whole host; --memory-swap limits the swap"),
  }),
  kernelMemory: single({
    name: "kernel-memory",
    valueName: "BYTES",
    description: "0 only: cgroup v2 counts the kernel's memory as the container's",
    parse: onlyUnset("0", "cgroup v2 counts the kernel's memory as the container's, which --memory limits"),
  }),
  realTimePeriod: single({
    name: "cpu-rt-period",
    valueName: "MICROSECONDS",
    description: "0 only: cgroup v2 does not divide real-time CPU time",
    parse: onlyUnset("0", "cgroup v2 does not divide real-time CPU time; --cpus limits the ordinary"),
  }),
  realTimeRuntime: single({
    name: "cpu-rt-runtime",
    valueName: "MICROSECONDS",
    description: "0 only: cgroup v2 does not divide real-time CPU time",
    parse: onlyUnset("0", "cgroup v2 does not divide real-time CPU time; --cpus limits the ordinary"),
  }),
  oomKillDisable: flag({
    name: "oom-kill-disable",
    description: "Not to be had: in cgroup v2 the OOM killer cannot be turned off",
  }),
  controlFiles: list({
    name: "cgroup-conf",
    valueName: "FILE=VALUE",
    description: "Write a file of its cgroup, such as memory.high=1073741824",
    parse: parseControlFile,
  }),
} as const satisfies OptionTable;

type ResourceValues = OptionValues<typeof resourceOptions>;

function conflict(reason: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${reason}` });
}

/**
 * The limits that a command's options ask for.
 * @param isChange whether they are put over limits that are there, so that what is not said stays
 * @returns them as `linux.resources`, undefined without any
 * @throws BunkerError `conflicting_options`
 */
export function resourcesOf(values: ResourceValues, isChange = false): Resources | undefined {
  const {
    memory,
    memoryReservation,
    memorySwap,
    processors,
    cpuShares,
    cpuPeriod,
    cpuQuota,
    processorSet,
    memoryNodes,
    processLimit,
    blockWeight,
    readRates,
    writeRates,
    readOperations,
    writeOperations,
    blockWeights,
    oomKillDisable,
    controlFiles,
  } = values;
  if (oomKillDisable) {
    throw new BunkerError({
      code: "limit_not_supported",
      operation: "use --oom-kill-disable",
      reason: "in cgroup v2 the OOM killer cannot be turned off",
      hint: "--cgroup-conf memory.high=BYTES slows the container down before it comes to that",
    });
  }
  if ((processors ?? 0) > 0 && ((cpuPeriod ?? 0) !== 0 || (cpuQuota ?? 0) !== 0)) {
    throw conflict("--cpus with --cpu-period or --cpu-quota");
  }
  if (!isChange && (memorySwap ?? 0) > 0 && memorySwap !== undefined) {
    if ((memory ?? 0) === 0) throw conflict("--memory-swap without --memory, of which it is a part");
    if (memorySwap < (memory ?? 0)) throw conflict("--memory-swap is less than --memory, which is a part of it");
  }
  if ((memory ?? 0) > 0 && (memoryReservation ?? 0) > (memory ?? 0)) {
    throw conflict("--memory-reservation is more than --memory");
  }
  const quota = (processors ?? 0) > 0 ? quotaOf(processors ?? 0) : cpuQuota;
  const period = (processors ?? 0) > 0 ? CPU_PERIOD : cpuPeriod;
  return given<Resources>({
    memory: given({
      limit: memory,
      reservation: memoryReservation,
      // As in Docker, as much swap again as memory.
      swap: (memorySwap ?? 0) === 0 && !isChange ? 2 * (memory ?? 0) : memorySwap,
    }),
    cpu: given({ shares: cpuShares, quota, period, cpus: processorSet, mems: memoryNodes }),
    pids: given({ limit: processLimit }),
    blockIO: given({
      weight: blockWeight,
      weightDevice: some(blockWeights.map(({ rate, ...device }) => ({ ...device, weight: rate }))),
      throttleReadBpsDevice: some(readRates),
      throttleWriteBpsDevice: some(writeRates),
      throttleReadIOPSDevice: some(readOperations),
      throttleWriteIOPSDevice: some(writeOperations),
    }),
    unified: controlFiles.length === 0 ? undefined : Object.fromEntries(controlFiles),
  });
}

/** By itself, because Math is made when a function that mentions it is first called, which takes 0.1 ms. */
function quotaOf(processors: number): number {
  return Math.round(processors * CPU_PERIOD);
}

/**
 * The members that say something: neither undefined nor 0, which is the absence of a limit everywhere. A loop, which makes
 * nothing where there is nothing: the usual case of every container.
 */
function given<Members extends object>(members: Members): Members | undefined {
  let those: Partial<Members> | undefined;
  for (const name in members) {
    const value: unknown = members[name];
    if (value === undefined || value === 0) continue;
    those ??= {};
    those[name] = members[name];
  }
  return those as Members | undefined;
}

function some<Value>(values: readonly Value[]): readonly Value[] | undefined {
  return values.length === 0 ? undefined : values;
}
