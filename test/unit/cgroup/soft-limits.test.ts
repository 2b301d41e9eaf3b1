import { expect, test } from "bun:test";
import type { Resources } from "../../../src/cgroup/resource-files.ts";
import { hasSoftLimits, softLimits } from "../../../src/cgroup/soft-limits.ts";

const MEGABYTE = 2 ** 20;

test.each<[string, Resources, object, readonly string[]]>([
  ["none", {}, {}, []],
  [
    "those that can be watched",
    {
      memory: { limit: 50 * MEGABYTE, swap: 100 * MEGABYTE },
      pids: { limit: 5 },
      cpu: { quota: 50_000, period: 100_000 },
    },
    { memory: 50 * MEGABYTE, processes: 5, processors: 0.5 },
    [],
  ],
  ["no limits", { memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }, {}, []],
  ["the usual period", { cpu: { quota: 25_000 } }, { processors: 0.25 }, []],
  ["swap", { memory: { limit: 50, swap: 60 } }, { memory: 50 }, ["memory.swap.max"]],
  [
    "those that only a cgroup keeps",
    { memory: { reservation: 5 }, cpu: { cpus: "0", shares: 5 }, unified: { "memory.high": "5" } },
    {},
    ["memory.low", "cpu.weight", "cpuset.cpus", "memory.high"],
  ],
])("%s", (_name, resources, soft, unkept) => {
  const found = softLimits(resources);
  expect(found.unkept).toEqual(unkept);
  expect(found.soft).toEqual(soft);
  expect(hasSoftLimits(found.soft)).toBe(Object.keys(soft).length > 0);
});
