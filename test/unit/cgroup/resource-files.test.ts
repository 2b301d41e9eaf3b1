import { describe, expect, test } from "bun:test";
import { type Resources, resourceFiles, weightOfShares } from "../../../src/cgroup/resource-files.ts";

/** `name=value` for each file. */
function files(resources: Resources): string[] {
  return resourceFiles(resources).map(({ name, value }) => `${name}=${value}`);
}

describe("CPU shares as a weight", () => {
  test.each([
    [0, 1],
    [2, 1],
    [512, 59],
    [1024, 100],
    [2048, 174],
    [262_144, 10_000],
    [1_000_000, 10_000],
  ])("%d", (shares, weight) => {
    expect(weightOfShares(shares)).toBe(weight);
  });

  test("more shares are never a smaller weight", () => {
    for (let shares = 2; shares < 262_144; shares += 97) {
      expect(weightOfShares(shares + 97)).toBeGreaterThanOrEqual(weightOfShares(shares));
    }
  });
});

describe("limits as files of cgroup v2", () => {
  test.each<[string, Resources, string[]]>([
    ["none", {}, []],
    ["what is 0 is not given", { memory: { limit: 0, swap: 0 }, pids: { limit: 0 }, cpu: { quota: 0, shares: 0 } }, []],
    [
      "swap without memory's part",
      { memory: { limit: 100, swap: 150, reservation: 50 } },
      ["memory.max=100", "memory.swap.max=50", "memory.low=50"],
    ],
    [
      "no limit",
      { memory: { limit: -1, swap: -1 }, pids: { limit: -1 } },
      ["memory.max=max", "memory.swap.max=max", "pids.max=max"],
    ],
    ["a quota", { cpu: { quota: 50_000 } }, ["cpu.max=50000 100000"]],
    ["a period alone", { cpu: { period: 20_000 } }, ["cpu.max=max 20000"]],
    [
      "the rest of the CPU's",
      { cpu: { idle: 1, shares: 1024, quota: -1, period: 5000, burst: 10, cpus: "0-1", mems: "0" } },
      ["cpu.idle=1", "cpu.weight=100", "cpu.max=max 5000", "cpu.max.burst=10", "cpuset.cpus=0-1", "cpuset.mems=0"],
    ],
    [
      "block I/O",
      {
        blockIO: {
          weight: 500,
          weightDevice: [{ major: 8, minor: 0, weight: 10 }],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
        },
      },
      ["io.weight=default 4950", "io.weight=8:0 1", "io.max=8:0 rbps=1000", "io.max=8:16 wiops=max"],
    ],
    [
      "huge pages",
      { hugepageLimits: [{ pageSize: "2MB", limit: 4096 }] },
      ["hugetlb.2MB.max=4096", "hugetlb.2MB.rsvd.max=4096"],
    ],
    ["RDMA", { rdma: { mlx4: { hcaHandles: 3 } } }, ["rdma.max=mlx4 hca_handle=3 hca_object=max"]],
    ["by name, last", { unified: { "memory.high": "5" }, pids: { limit: 1 } }, ["pids.max=1", "memory.high=5"]],
  ])("%s", (_name, resources, expected) => {
    expect(files(resources)).toEqual(expected);
  });

  test.each<[string, Resources]>([
    ["memory.swap: it is the sum of memory and swap, and less", { memory: { limit: 100, swap: 50 } }],
    ["memory.swap: it is the sum of memory and swap, and there is no limit", { memory: { swap: 50 } }],
    ["memory.swappiness", { memory: { swappiness: 0 } }],
    ["memory.kernelTCP", { memory: { kernelTCP: 1 } }],
    ["memory.useHierarchy", { memory: { useHierarchy: false } }],
    ["memory.disableOOMKiller", { memory: { disableOOMKiller: true } }],
    ["memory.kernel", { memory: { kernel: 5 } }],
    ["cpu.realtimeRuntime", { cpu: { realtimeRuntime: 5 } }],
    ["blockIO.leafWeight", { blockIO: { leafWeight: 10 } }],
    ["network", { network: { classID: 5 } }],
    ["unified.cgroup.procs", { unified: { "cgroup.procs": "1" } }],
    ["unified.../memory.max", { unified: { "../memory.max": "1" } }],
    ["unified.memory", { unified: { memory: "1" } }],
  ])("refuses %s", (message, resources) => {
    expect(() => resourceFiles(resources)).toThrow(`set limit ${message}`);
  });
});
