import type { Resources } from "../../cgroup/resource-files.ts";
import { softLimits } from "../../cgroup/soft-limits.ts";
import type { Container } from "../../engine/state/containers.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { Structure } from "../format/template/value.ts";

const NANO = 1e9;

/** A container's limits as members of HostConfig; Docker Engine API, Resources. 0 and "" are no limit, as there. */
export function inspectResources(resources: Resources, container: Container): Structure {
  const { memory = {}, cpu = {}, pids = {}, blockIO = {}, unified = {} } = resources;
  const { quota = 0, period = 0 } = cpu;
  return {
    Memory: memory.limit ?? 0,
    MemoryReservation: memory.reservation ?? 0,
    MemorySwap: memory.swap ?? 0,
    NanoCpus: quota > 0 && period > 0 ? Math.round((quota / period) * NANO) : 0,
    CpuShares: cpu.shares ?? 0,
    CpuPeriod: period,
    CpuQuota: quota,
    CpusetCpus: cpu.cpus ?? "",
    CpusetMems: cpu.mems ?? "",
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    PidsLimit: pids.limit ?? 0,
    BlkioWeight: blockIO.weight ?? 0,
    BlkioWeightDevice: (blockIO.weightDevice ?? []).map((device) => ({
      Path: devicePath(device),
      Weight: device.weight ?? 0,
    })),
    BlkioDeviceReadBps: rates(blockIO.throttleReadBpsDevice),
    BlkioDeviceWriteBps: rates(blockIO.throttleWriteBpsDevice),
    BlkioDeviceReadIOps: rates(blockIO.throttleReadIOPSDevice),
    BlkioDeviceWriteIOps: rates(blockIO.throttleWriteIOPSDevice),
    OomKillDisable: false,
    KernelMemory: 0,
    CgroupConf: new Map(Object.entries(unified)),
    Cgroups: container.definition.cgroups.mode,
    CgroupParent: container.definition.cgroups.parent ?? "",
    SoftLimits: [...limitsKeptByWatching(resources, container)],
  };
}

function rates(
  devices: readonly { readonly major: number; readonly minor: number; readonly rate: number }[] = [],
): readonly Structure[] {
  return devices.map((device) => ({ Path: devicePath(device), Rate: device.rate }));
}

/** What the kernel calls a block device of this machine; its numbers when that is gone. */
function devicePath({ major, minor }: { readonly major: number; readonly minor: number }): string {
  const event = readIfThere(`/sys/dev/block/${major}:${minor}/uevent`) ?? "";
  const name = /^DEVNAME=(.*)$/m.exec(event)?.[1];
  return name === undefined ? `${major}:${minor}` : `/dev/${name}`;
}

/** Which limits are only kept by the supervisor's watching, because the container runs without a cgroup. */
function limitsKeptByWatching(resources: Resources, { status, cgroup }: Container): readonly string[] {
  if ((status !== "running" && status !== "paused") || cgroup !== undefined) return [];
  const { processes, memory, processors } = softLimits(resources).soft;
  return [
    ...(memory === undefined ? [] : ["memory"]),
    ...(processors === undefined ? [] : ["cpus"]),
    ...(processes === undefined ? [] : ["pids"]),
  ];
}
