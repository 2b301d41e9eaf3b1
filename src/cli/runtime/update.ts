import { readFileSync } from "node:fs";
import type { Resources } from "../../cgroup/resource-files.ts";
import { parseResources } from "../../runtime/configuration/configuration.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { updateContainer } from "../../runtime/lifecycle/update-container.ts";
import { defineCommand } from "../command.ts";
import { single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { fileReadError } from "../values/file-read-error.ts";
import { integerBetween, parseBytes } from "../values/numbers.ts";
import type { RuntimeGlobals } from "./globals.ts";

const number = (name: string, description: string, least = 0) =>
  single({ name, valueName: "NUMBER", description, parse: integerBetween(least, Number.MAX_SAFE_INTEGER) });
const bytes = (name: string, description: string) =>
  single({
    name,
    valueName: "BYTES",
    description: `${description}; -1 for no limit`,
    parse: (text) => (text === "-1" ? -1 : parseBytes(text)),
  });
const text = (name: string, valueName: string, description: string) =>
  single({ name, valueName, description, parse: (value) => value });

const updateOptions = {
  resources: single({
    name: "resources",
    short: "r",
    valueName: "FILE",
    description: "The limits as JSON in the form of config.json's, - for standard input; other options are passed over",
    parse: (value) => value,
  }),
  blockWeight: number("blkio-weight", "Weight of the block I/O"),
  cpuPeriod: number("cpu-period", "Period of the CPU quota, in microseconds"),
  cpuQuota: number("cpu-quota", "CPU time in each period, in microseconds; -1 for no limit", -1),
  cpuBurst: number("cpu-burst", "CPU time saved up at most, in microseconds"),
  cpuShares: number("cpu-share", "Weight of the CPU time"),
  cpuRealTimePeriod: number("cpu-rt-period", "0 only: cgroup v2 does not divide real-time CPU time"),
  cpuRealTimeRuntime: number("cpu-rt-runtime", "0 only: cgroup v2 does not divide real-time CPU time"),
  cpuIdle: number("cpu-idle", "1 for CPU time that nobody else wants only"),
  processors: text("cpuset-cpus", "LIST", "Processors to run on"),
  memoryNodes: text("cpuset-mems", "LIST", "Memory nodes to use"),
  memory: bytes("memory", "Memory"),
  memoryReservation: bytes("memory-reservation", "Memory that is protected"),
  memorySwap: bytes("memory-swap", "Memory and swap together"),
  processes: number("pids-limit", "Number of processes; -1 for no limit", -1),
} as const;

/** `bunker runtime update`. */
export const update = defineCommand(
  { options: updateOptions, required: ["ID"] },
  ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    using directory = ContainerDirectory.open(stateRoot(globals.root), id);
    updateContainer(directory, options.resources === undefined ? changesOf(options) : readChanges(options.resources));
    return 0;
  },
);

/** What the options say, without what they do not say. */
function changesOf(options: OptionValues<typeof updateOptions>): Resources {
  const given = <Members extends object>(members: Members): Partial<Members> =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<Members>;
  return {
    memory: given({ limit: options.memory, reservation: options.memoryReservation, swap: options.memorySwap }),
    cpu: given({
      shares: options.cpuShares,
      quota: options.cpuQuota,
      period: options.cpuPeriod,
      burst: options.cpuBurst,
      realtimePeriod: options.cpuRealTimePeriod,
      realtimeRuntime: options.cpuRealTimeRuntime,
      idle: options.cpuIdle,
      cpus: options.processors,
      mems: options.memoryNodes,
    }),
    blockIO: given({ weight: options.blockWeight }),
    ...(options.processes === undefined ? {} : { pids: { limit: options.processes } }),
  };
}

function readChanges(path: string): Resources {
  let content: string;
  try {
    content = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw fileReadError("resources_unreadable", "read the limits", path, error);
  }
  return parseResources(content, path === "-" ? "standard input" : path);
}
