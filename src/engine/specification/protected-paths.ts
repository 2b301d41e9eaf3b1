import { directoryNames, exists } from "../../sys/named-file.ts";
import type { SecurityOptions } from "./run-options.ts";

/** Files that show what is the host's affair, or attack it; Docker 29 hides the same. */
const MASKED_PATHS = [
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

const READ_ONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** What a container cannot see, and what it cannot write. */
export interface ProtectedPaths {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/**
 * The masked and the read-only paths of a container.
 * @param security `mask=` adds masked paths, also to a privileged container; `unmask=` takes away paths by name or by
 * pattern (`*` within one path component), `ALL` for all; `systempaths=unconfined` takes away all defaults
 * @param hostMaskedPaths of this host, besides the fixed ones: `thermalThrottlePaths()`
 */
export function protectedPaths(
  security: SecurityOptions,
  privileged: boolean,
  hostMaskedPaths: readonly string[],
): ProtectedPaths {
  if (privileged || security.systemPathsUnconfined) return { maskedPaths: security.maskedPaths, readonlyPaths: [] };
  const patterns = security.unmaskedPaths.map((pattern) => new Bun.Glob(pattern));
  const unmaskAll = security.unmaskedPaths.some((pattern) => pattern.toUpperCase() === "ALL");
  const isKept = (path: string) => !unmaskAll && !patterns.some((pattern) => pattern.match(path));
  const defaults = [...MASKED_PATHS, ...hostMaskedPaths].filter(isKept);
  return {
    maskedPaths: [...new Set([...defaults, ...security.maskedPaths])],
    readonlyPaths: READ_ONLY_PATHS.filter(isKept),
  };
}

/** The counters by which one container could watch what others do to the processors' temperature; x86 has them. */
export function thermalThrottlePaths(): readonly string[] {
  const processors = "/sys/devices/system/cpu";
  if (!exists(`${processors}/cpu0/thermal_throttle`)) return [];
  return directoryNames(processors)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${processors}/${name}/thermal_throttle`)
    .filter((path) => exists(path));
}
