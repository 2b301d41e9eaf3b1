import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usageInDirectory } from "../../../src/cgroup/usage.ts";

/** What a cgroup with such files has used. */
function usageOf(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), "bunker-cgroup-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return usageInDirectory(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const pressure = (some: string) =>
  `some avg10=${some} avg60=9.99 avg300=9.99 total=1\nfull avg10=8.88 avg60=0.00 avg300=0.00 total=0\n`;

test("files as the kernel writes them", () => {
  const usage = usageOf({
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
    "memory.current": "5000000\n",
    "memory.max": "52428800\n",
    "memory.stat": "anon 1\nfile 4000000\nactive_file 3\ninactive_file 1000000\n",
    "io.stat":
      "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=7 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n",
    "pids.current": "12\n",
    "cpu.pressure": pressure("1.50"),
    "memory.pressure": pressure("0.00"),
    "io.pressure": pressure("12.34"),
  });
  expect(usage).toEqual({
    processorTime: 2.5,
    memory: 4_000_000,
    memoryLimit: 52_428_800,
    block: { read: 101, written: 22 },
    tasks: 12,
    pressure: { cpu: 1.5, memory: 0, io: 12.34 },
  });
});

test("no limit, no device used, and no controllers or pressure", () => {
  expect(usageOf({ "cpu.stat": "usage_usec 0\n", "memory.max": "max\n", "io.stat": "" })).toEqual({
    processorTime: 0,
    memory: undefined,
    memoryLimit: undefined,
    block: { read: 0, written: 0 },
    tasks: undefined,
    pressure: undefined,
  });
  expect(Object.values(usageOf({})).every((value) => value === undefined)).toBe(true);
});
