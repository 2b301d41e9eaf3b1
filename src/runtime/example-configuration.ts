import type { CapabilityName } from "./configuration/capabilities.ts";
import type { Configuration, Linux, Mount } from "./configuration/configuration.ts";
import type { NamespaceType } from "./configuration/namespaces.ts";
import { OCI_VERSION } from "./state.ts";

const CAPABILITIES: readonly CapabilityName[] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
const NAMESPACES: readonly NamespaceType[] = ["pid", "network", "ipc", "uts", "mount", "cgroup"];

/** /proc and /sys as Docker shows them. */
const MASKED_PATHS = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];
const READ_ONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/**
 * The example that `spec` writes: a shell on a terminal in the bundle's directory `rootfs`.
 * @param caller the caller's ids, for a user namespace in which they are root; undefined for a container of root's
 */
export function exampleConfiguration(
  caller: { readonly uid: number; readonly gid: number } | undefined,
): Configuration {
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "bunker",
    mounts: exampleMounts(caller === undefined ? ["gid=5"] : []),
    linux: {
      ...(caller === undefined ? { resources: { devices: [{ allow: false, access: "rwm" }] } } : idMapOf(caller)),
      namespaces: [...NAMESPACES, ...(caller === undefined ? [] : (["user"] as const))].map((type) => ({ type })),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READ_ONLY_PATHS,
    },
  };
}

function idMapOf({ uid, gid }: { readonly uid: number; readonly gid: number }): Linux {
  return {
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
  };
}

function exampleMounts(terminalOptions: readonly string[]): readonly Mount[] {
  const closed = ["nosuid", "noexec", "nodev"];
  const mount = (destination: string, type: string, source: string, options: readonly string[]) => {
    return { destination, type, source, options };
  };
  return [
    mount("/proc", "proc", "proc", []),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", "devpts", [
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      ...terminalOptions,
    ]),
    mount("/dev/shm", "tmpfs", "shm", [...closed, "mode=1777", "size=65536k"]),
    mount("/dev/mqueue", "mqueue", "mqueue", closed),
    mount("/sys", "sysfs", "sysfs", [...closed, "ro"]),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", [...closed, "relatime", "ro"]),
  ];
}
