/*
 * The mounts of a container, in the order in which they are made.
 *
 * There are three sources: the file systems that every container has, the files that Bunker writes for it, and what the
 * user asked for. What the user mounts replaces what would have been at the same place, and a /dev of the user's
 * replaces everything below it. The order is by depth, so that a mount never covers one that was made before it;
 * among mounts of one depth it does not matter.
 *
 * A user namespace may mount a fresh proc, sysfs or mqueue only if it owns the pid, network or ipc namespace that the
 * file system shows (user_namespaces(7)). Where the container shares that namespace with the host, the host's own mount
 * is bound instead, which shows the same.
 */
import type { Mount } from "../../runtime/configuration/configuration.ts";
import { type IdMap, outerId } from "../../runtime/id-map/id-mapping.ts";
import { BunkerError } from "../../sys/error.ts";
import type { ContainerFiles } from "./container-input.ts";
import { type DeviceProtection, deviceProtection } from "./device-rules.ts";
import type { HostFacts } from "./host-facts.ts";
import type { DeviceRequest, OverlayMount, PlacedMount, PlacedRunOptions } from "./run-options.ts";

/** The group that owns terminals in every distribution. */
const TERMINAL_GROUP = 5;

export interface ContainerMountsInput {
  readonly options: PlacedRunOptions;
  readonly userNamespace: IdMap | undefined;
  readonly files: ContainerFiles;
  readonly host: HostFacts;
  /** Whether its first process is systemd, which divides the container's cgroup. */
  readonly startsSystemd?: boolean | undefined;
}

/**
 * The mounts of a container, parents before children.
 * @throws BunkerError `duplicate_mount` for a destination that occurs twice, `unsupported_device_permissions`
 */
export function containerMounts(input: ContainerMountsInput): readonly Mount[] {
  const wished = [
    ...input.options.mounts.map(wishedMount),
    ...input.options.devices.map((device) => deviceMount(device, deviceProtection(input))),
  ];
  refuseDuplicates(wished);
  const taken = new Set(wished.map(({ destination }) => destination));
  const isFree = ({ destination }: Mount) =>
    !taken.has(destination) && !(taken.has("/dev") && destination.startsWith("/dev/"));
  const own = [...systemMounts(input), ...scratchMounts(input), ...input.host.devices.map(hostDevice)].filter(isFree);
  const files = fileMounts(input).filter(({ destination }) => !taken.has(destination));
  return [...own, ...files, ...wished].sort((a, b) => depth(a) - depth(b));
}

function depth({ destination }: Mount): number {
  return destination.split("/").length;
}

function systemMounts({ options, userNamespace, host, startsSystemd }: ContainerMountsInput): readonly Mount[] {
  const { privileged, readOnly } = options;
  const protection = ["nosuid", "noexec", "nodev"];
  const writable = privileged && !readOnly;
  const shares = (namespace: PlacedRunOptions["ipcNamespace"]) => namespace === "host" && userNamespace !== undefined;
  const hasTerminalGroup =
    userNamespace === undefined || outerId(userNamespace.gidMappings, TERMINAL_GROUP) !== undefined;
  const mounts: Mount[] = [
    shares(options.pidNamespace)
      ? bind("/proc", "/proc", ["rbind", ...protection])
      : { destination: "/proc", type: "proc", source: "proc", options: protection },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: [
        ...["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        ...(hasTerminalGroup ? [`gid=${TERMINAL_GROUP}`] : []),
      ],
    },
    options.network === "host" && userNamespace !== undefined
      ? bind("/sys", "/sys", ["rbind", ...protection, ...(writable ? [] : ["ro", "rro"])])
      : { destination: "/sys", type: "sysfs", source: "sysfs", options: [...protection, ...(writable ? [] : ["ro"])] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...protection, ...(writable || startsSystemd === true ? [] : ["ro"])],
    },
  ];
  if (options.ipcNamespace === "none") return mounts;
  if (!shares(options.ipcNamespace)) {
    mounts.push({ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: protection });
  } else if (host.hasMessageQueues) {
    mounts.push(bind("/dev/mqueue", "/dev/mqueue", ["rbind", ...protection]));
  }
  // For one of another container's it is that container's own; namespaces/joined-namespaces.ts.
  const isOthers = typeof options.ipcNamespace !== "string" && options.ipcNamespace.kind === "container";
  const sharedMemory =
    options.ipcNamespace === "host" || isOthers
      ? bind("/dev/shm", "/dev/shm", ["rbind", ...protection])
      : {
          destination: "/dev/shm",
          type: "tmpfs",
          source: "shm",
          options: [...protection, "mode=1777", `size=${options.sharedMemorySize}`],
        };
  return [...mounts, sharedMemory];
}

/** What Podman mounts in read-only containers. */
function scratchMounts({ options }: ContainerMountsInput): readonly Mount[] {
  if (!options.readOnly || options.readOnlyTmpfs !== true) return [];
  return [
    ["/run", "mode=755", "noexec"],
    ["/tmp", "mode=1777", "tmpcopyup"],
    ["/var/tmp", "mode=1777", "tmpcopyup"],
  ].map(([destination = "", ...own]) => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["rw", "nosuid", "nodev", ...own],
  }));
}

function bind(source: string, destination: string, options: readonly string[]): Mount {
  return { destination, type: "bind", source, options };
}

function fileMounts({ options, files }: ContainerMountsInput): readonly Mount[] {
  const writability = options.readOnly ? "ro" : "rw";
  const sources = [
    ["/etc/hosts", files.hosts],
    ["/etc/hostname", files.hostname],
    ["/etc/resolv.conf", files.resolvConf],
    ["/etc/localtime", files.localtime],
  ] as const;
  const roots = ["", ...(options.chrootDirectories ?? []).map((path) => path.replace(/\/+$/, ""))];
  const mounts: Mount[] = [];
  for (const [destination, source] of sources) {
    if (source === undefined) continue;
    for (const root of roots) mounts.push(bind(source, `${root}${destination}`, ["rbind", "rprivate", writability]));
  }
  return mounts;
}

function wishedMount(request: PlacedMount): Mount {
  const { destination } = request;
  if (request.type === "tmpfs") return { destination, type: "tmpfs", source: "tmpfs", options: request.options };
  if (request.type === "overlay") return overlayMount(request);
  const readOnly = request.readOnly ? ["ro", ...(request.recursiveReadOnly ? ["rro"] : [])] : ["rw"];
  const recursion = request.recursive ? "rbind" : "bind";
  return bind(request.source, destination, [recursion, ...readOnly, request.propagation, ...request.options]);
}

function overlayMount({ source, changes, destination, readOnly, options }: OverlayMount): Mount {
  const directories = [`lowerdir=${source}`, `upperdir=${changes}/upper`, `workdir=${changes}/work`];
  const access = readOnly ? ["ro"] : [];
  return {
    destination,
    type: "overlay",
    source: "overlay",
    options: [...access, ...options, ...directories, "userxattr"],
  };
}

/**
 * A device of the host: its node is bound, because nobody without root can make one. Where nobody filters its use, its own
 * permissions decide.
 */
function deviceMount({ hostPath, containerPath, permissions }: DeviceRequest, protection: DeviceProtection): Mount {
  if (protection !== "filter" && !(permissions.includes("r") && permissions.includes("w"))) {
    const needs =
      protection === "user namespace" ? "can be enforced for root's containers only" : "need a cgroup of v2";
    throw new BunkerError({
      code: "unsupported_device_permissions",
      operation: "add device",
      object: hostPath,
      reason: `permissions "${permissions}" ${needs}`,
      hint: "The device's own permissions on the host decide; leave the permissions out, or write rwm.",
    });
  }
  return bind(hostPath, containerPath, ["rbind", "rprivate", "nosuid", "noexec"]);
}

function hostDevice(path: string): Mount {
  return bind(path, path, ["bind", "rprivate", "nosuid", "noexec"]);
}

function refuseDuplicates(mounts: readonly Mount[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) {
      const reason = "duplicate mount point";
      throw new BunkerError({ code: "duplicate_mount", operation: "mount", object: destination, reason });
    }
    seen.add(destination);
  }
}
