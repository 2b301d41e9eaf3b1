/** The runtime commands that work on a container's control group. Containers have none of their own yet. */
import { readFileSync } from "node:fs";
import { openContainerProcess } from "../../runtime/lifecycle/container-processes.ts";
import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag, single } from "../option.ts";
import type { RuntimeGlobals } from "./globals.ts";

const asIs = (text: string) => text;

/** @throws BunkerError always: what is asked for would be done to the caller's control group, not to the container's */
function refuse(globals: RuntimeGlobals, id: string, operation: string): never {
  using directory = ContainerDirectory.open(stateRoot(globals.root), id);
  using _process = openContainerProcess(directory, operation);
  const { pid } = directory.state();
  throw new BunkerError({
    code: "no_cgroup",
    operation: `${operation} container`,
    object: id,
    reason: `no writable cgroup: it has none of its own, its processes are in ${cgroupOf(pid)} with those of its creator`,
    hint: "containers get a cgroup where a cgroup v2 subtree is delegated to the user, as systemd does for login sessions",
  });
}

/** The cgroup v2 path of a process. */
function cgroupOf(pid: number): string {
  try {
    return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "no cgroup v2";
  } catch {
    return "no cgroup v2";
  }
}

/** `bunker runtime pause`. */
export const pause = defineCommand(
  { options: {}, required: ["ID"] },
  ({ operands: [id] }, globals: RuntimeGlobals): number => refuse(globals, id, "pause"),
);

/** `bunker runtime resume`. */
export const resume = defineCommand(
  { options: {}, required: ["ID"] },
  ({ operands: [id] }, globals: RuntimeGlobals): number => refuse(globals, id, "resume"),
);

/** `bunker runtime events`. */
export const events = defineCommand(
  {
    options: {
      interval: single({
        name: "interval",
        valueName: "DURATION",
        description: "How often usage is shown",
        parse: asIs,
        initial: "5s",
        initialText: "5s",
      }),
      stats: flag({ name: "stats", description: "Show the usage once" }),
    },
    required: ["ID"],
  },
  ({ operands: [id] }, globals: RuntimeGlobals): number => refuse(globals, id, "measure"),
);

const limit = (name: string, description: string, short?: string) =>
  single({ name, valueName: "VALUE", description, parse: asIs, ...(short === undefined ? {} : { short }) });

/** `bunker runtime update`. */
export const update = defineCommand(
  {
    options: {
      resources: limit("resources", "File with the limits as JSON, - for standard input", "r"),
      blkioWeight: limit("blkio-weight", "Weight of the block I/O"),
      cpuPeriod: limit("cpu-period", "Period of the CPU quota, in microseconds"),
      cpuQuota: limit("cpu-quota", "CPU time in each period, in microseconds"),
      cpuBurst: limit("cpu-burst", "CPU time saved up at most, in microseconds"),
      cpuShares: limit("cpu-share", "Weight of the CPU time"),
      cpuRealTimePeriod: limit("cpu-rt-period", "Period of the real-time quota, in microseconds"),
      cpuRealTimeRuntime: limit("cpu-rt-runtime", "Real-time CPU time in each period, in microseconds"),
      cpuIdle: limit("cpu-idle", "1 for CPU time that nobody else wants only"),
      processors: limit("cpuset-cpus", "Processors to run on"),
      memoryNodes: limit("cpuset-mems", "Memory nodes to use"),
      memory: limit("memory", "Memory in bytes"),
      memoryReservation: limit("memory-reservation", "Memory in bytes that is protected"),
      memorySwap: limit("memory-swap", "Memory and swap in bytes"),
      processes: limit("pids-limit", "Number of processes"),
      cacheSchema: limit("l3-cache-schema", "Intel RDT's cache schema"),
      bandwidthSchema: limit("mem-bw-schema", "Intel RDT's memory bandwidth schema"),
    },
    required: ["ID"],
  },
  ({ operands: [id] }, globals: RuntimeGlobals): number => refuse(globals, id, "update"),
);
