/*
 * `linux.resources` as what is to be written to the files of a cgroup v2; config-linux.md, "Control groups", and the
 * kernel's Documentation/admin-guide/cgroup-v2.rst. The specification was made for v1, so some limits have another form,
 * and some have no successor: those are refused rather than dropped.
 */
import type { Linux } from "../runtime/configuration/configuration.ts";
import { BunkerError } from "../sys/error.ts";

export type Resources = NonNullable<Linux["resources"]>;

/** One of `linux.resources.devices`. */
export type DeviceRule = NonNullable<Resources["devices"]>[number];

/** What is written to one file of a cgroup. */
export interface ResourceFile {
  /** `memory.max`; the part before the first dot is the controller's name. */
  readonly name: string;
  readonly value: string;
  /** What is written where the file does not exist: to another one, or nothing at all. */
  readonly otherwise?: ResourceFile | "nothing";
}

const FEWEST_SHARES = 2;
const MOST_SHARES = 262_144;
const DEFAULT_PERIOD = 100_000;

/**
 * CPU shares of v1 as a weight of v2: the curve through (2, 1), (1024, 100) and (262144, 10000) that runc and crun use.
 * @param shares 2 to 262144; what is outside counts as the nearer end
 * @returns 1 to 10000
 */
export function weightOfShares(shares: number): number {
  if (shares <= FEWEST_SHARES) return 1;
  if (shares >= MOST_SHARES) return 10_000;
  const exponent = Math.log2(shares);
  return Math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34));
}

/** A weight of v1's block I/O, 10 to 1000, as one of v2, 1 to 10000. */
function weightOfBlockWeight(weight: number): number {
  return Math.floor(1 + ((weight - 10) * 9999) / 990);
}

/** -1 is no limit. */
function limitText(limit: number): string {
  return limit < 0 ? "max" : String(limit);
}

function refuse(limit: string, reason: string): never {
  throw new BunkerError({ code: "limit_not_supported", operation: "set limit", object: limit, reason });
}

/**
 * The files to write, in this order, for the limits that are asked for.
 * @throws BunkerError `limit_not_supported` for what cgroup v2 has no means for, or what contradicts itself
 */
export function resourceFiles(resources: Resources): readonly ResourceFile[] {
  return [
    ...memoryFiles(resources.memory),
    ...cpuFiles(resources.cpu),
    ...pidsFiles(resources.pids),
    ...blockFiles(resources.blockIO),
    ...(resources.hugepageLimits ?? []).flatMap(({ pageSize, limit }): ResourceFile[] => [
      { name: `hugetlb.${pageSize}.max`, value: String(limit) },
      // What is reserved ahead, which the kernel counts by itself.
      { name: `hugetlb.${pageSize}.rsvd.max`, value: String(limit), otherwise: "nothing" },
    ]),
    ...Object.entries(resources.rdma ?? {}).map(([device, { hcaHandles, hcaObjects }]) => ({
      name: "rdma.max",
      value: `${device} hca_handle=${hcaHandles ?? "max"} hca_object=${hcaObjects ?? "max"}`,
    })),
    ...networkFiles(resources.network),
    ...unifiedFiles(resources.unified),
  ];
}

/**
 * Whether there is anything that needs a cgroup.
 * @throws BunkerError `limit_not_supported`
 */
export function isLimited(resources: Resources): boolean {
  return resourceFiles(resources).length > 0 || (resources.devices ?? []).length > 0;
}

function memoryFiles(memory: Resources["memory"] = {}): ResourceFile[] {
  const { limit, reservation } = memory;
  // Without a limit for memory, one for both together would be one for swap.
  const swap = limit === -1 && (memory.swap ?? 0) === 0 ? -1 : memory.swap;
  if (memory.swappiness !== undefined) refuse("memory.swappiness", "cgroup v2 has one swappiness for the whole host");
  if (memory.disableOOMKiller === true) {
    refuse("memory.disableOOMKiller", "in cgroup v2 the OOM killer cannot be turned off");
  }
  for (const member of ["kernel", "kernelTCP"] as const) {
    if ((memory[member] ?? 0) <= 0) continue;
    refuse(`memory.${member}`, "cgroup v2 counts the kernel's memory as the cgroup's own; limit that");
  }
  if (memory.useHierarchy === false) {
    refuse("memory.useHierarchy", "cgroup v2 always counts what the cgroups below use");
  }
  const files: ResourceFile[] = [];
  if (limit !== undefined && limit !== 0) files.push({ name: "memory.max", value: limitText(limit) });
  if (swap !== undefined && swap !== 0) {
    files.push({ name: "memory.swap.max", value: limitText(swap < 0 ? -1 : swapAlone(swap, limit)) });
  }
  if (reservation !== undefined && reservation !== 0) {
    files.push({ name: "memory.low", value: limitText(reservation) });
  }
  return files;
}

/** `swap` limits both together, as in v1; v2 limits swap alone. */
function swapAlone(swap: number, limit: number | undefined): number {
  if (limit === undefined || limit <= 0) {
    refuse("memory.swap", "it is the sum of memory and swap, and there is no limit for memory");
  }
  if (swap < limit) refuse("memory.swap", "it is the sum of memory and swap, and less than that for memory");
  return swap - limit;
}

function cpuFiles(cpu: Resources["cpu"] = {}): ResourceFile[] {
  if ((cpu.realtimeRuntime ?? 0) !== 0 || (cpu.realtimePeriod ?? 0) !== 0) {
    refuse("cpu.realtimeRuntime", "cgroup v2 does not divide real-time CPU time");
  }
  const files: ResourceFile[] = [];
  if (cpu.idle !== undefined) files.push({ name: "cpu.idle", value: String(cpu.idle) });
  if (cpu.shares !== undefined && cpu.shares !== 0) {
    files.push({ name: "cpu.weight", value: String(weightOfShares(cpu.shares)) });
  }
  const hasQuota = cpu.quota !== undefined && cpu.quota !== 0;
  const hasPeriod = cpu.period !== undefined && cpu.period !== 0;
  if (hasQuota || hasPeriod) {
    const quota = hasQuota ? limitText(cpu.quota ?? -1) : "max";
    files.push({ name: "cpu.max", value: `${quota} ${hasPeriod ? cpu.period : DEFAULT_PERIOD}` });
  }
  if (cpu.burst !== undefined) files.push({ name: "cpu.max.burst", value: String(cpu.burst) });
  if (cpu.cpus !== undefined && cpu.cpus !== "") files.push({ name: "cpuset.cpus", value: cpu.cpus });
  if (cpu.mems !== undefined && cpu.mems !== "") files.push({ name: "cpuset.mems", value: cpu.mems });
  return files;
}

/** Docker and runc: 0 is as good as not given, a negative number no limit. */
function pidsFiles(pids: Resources["pids"] = {}): ResourceFile[] {
  return pids.limit === undefined || pids.limit === 0 ? [] : [{ name: "pids.max", value: limitText(pids.limit) }];
}

function blockFiles(block: Resources["blockIO"] = {}): ResourceFile[] {
  if ((block.leafWeight ?? 0) !== 0 || block.weightDevice?.some(({ leafWeight }) => (leafWeight ?? 0) !== 0)) {
    refuse("blockIO.leafWeight", "cgroup v2 has no processes beside groups, and so no weight for them");
  }
  const files: ResourceFile[] = [];
  if (block.weight !== undefined && block.weight !== 0) {
    files.push(blockWeight("default", block.weight));
  }
  for (const { major, minor, weight } of block.weightDevice ?? []) {
    if (weight !== undefined && weight !== 0) {
      files.push(blockWeight(`${major}:${minor}`, weight));
    }
  }
  for (const [key, throttles] of [
    ["rbps", block.throttleReadBpsDevice],
    ["wbps", block.throttleWriteBpsDevice],
    ["riops", block.throttleReadIOPSDevice],
    ["wiops", block.throttleWriteIOPSDevice],
  ] as const) {
    for (const { major, minor, rate } of throttles ?? []) {
      files.push({ name: "io.max", value: `${major}:${minor} ${key}=${rate === 0 ? "max" : rate}` });
    }
  }
  return files;
}

/** The kernel has weights by its controller of I/O costs, or else by the scheduler BFQ, with v1's scale. */
function blockWeight(device: string, weight: number): ResourceFile {
  return {
    name: "io.weight",
    value: `${device} ${weightOfBlockWeight(weight)}`,
    otherwise: { name: "io.bfq.weight", value: `${device} ${weight}` },
  };
}

function networkFiles(network: Resources["network"] = {}): ResourceFile[] {
  if ((network.classID ?? 0) !== 0 || (network.priorities ?? []).length > 0) {
    refuse("network", "cgroup v2 marks no packets; net_cls and net_prio are of v1");
  }
  return [];
}

/** Files by their own names, which must be those of a controller. */
function unifiedFiles(unified: Resources["unified"] = {}): ResourceFile[] {
  return Object.entries(unified).map(([name, value]) => {
    if (!/^[a-z]+(?:\.[A-Za-z0-9_-]+)+$/.test(name) || name.startsWith("cgroup.")) {
      refuse(`unified.${name}`, "that is no file of a controller, such as memory.high");
    }
    return { name, value };
  });
}

/** The controller that a file belongs to. */
export function controllerOf({ name }: ResourceFile): string {
  return name.slice(0, name.indexOf("."));
}

/** Limits put over others: what the changes do not say stays. */
export function mergeResources(before: Resources, changes: Resources): Resources {
  return {
    ...before,
    ...changes,
    memory: { ...before.memory, ...changes.memory },
    cpu: { ...before.cpu, ...changes.cpu },
    blockIO: { ...before.blockIO, ...changes.blockIO },
    unified: { ...before.unified, ...changes.unified },
  };
}
