import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { protectedPaths, thermalThrottlePaths } from "../../../../src/engine/specification/protected-paths.ts";
import { runOptions } from "./run-options.ts";

/** What Docker 29 masks and makes read-only. */
const masked = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const readonly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
const thermal = ["/sys/devices/system/cpu/cpu0/thermal_throttle"];

const { security } = runOptions();

describe("protectedPaths", () => {
  test.each([
    ["defaults", {}, false, [...masked, ...thermal], readonly],
    ["privileged", {}, true, [], []],
    ["systempaths=unconfined", { systemPathsUnconfined: true }, false, [], []],
    [
      "mask",
      { maskedPaths: ["/proc/cpuinfo", "/proc/keys"] },
      false,
      [...masked, ...thermal, "/proc/cpuinfo"],
      readonly,
    ],
    ["mask of a privileged one", { maskedPaths: ["/proc/cpuinfo"] }, true, ["/proc/cpuinfo"], []],
    ["unmask ALL", { unmaskedPaths: ["ALL"] }, false, [], []],
    ["unmask all but one", { unmaskedPaths: ["all"], maskedPaths: ["/a"] }, false, ["/a"], []],
    [
      "unmask paths",
      { unmaskedPaths: ["/proc/acpi", "/proc/sys"] },
      false,
      [...masked.slice(1), ...thermal],
      readonly.filter((path) => path !== "/proc/sys"),
    ],
    ["unmask a pattern", { unmaskedPaths: ["/proc/*"] }, false, [...masked.slice(10), ...thermal], []],
  ])("%s", (_, changes, privileged, maskedPaths, readonlyPaths) => {
    expect(protectedPaths({ ...security, ...changes }, privileged, thermal)).toEqual({ maskedPaths, readonlyPaths });
  });
});

test("thermalThrottlePaths names what exists", () => {
  const paths = thermalThrottlePaths();
  for (const path of paths) expect(existsSync(path)).toBeTrue();
  expect(paths.length > 0).toBe(existsSync("/sys/devices/system/cpu/cpu0/thermal_throttle"));
});
