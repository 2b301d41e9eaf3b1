import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import type { Mount } from "./configuration/configuration.ts";
import { checkBindOptions, type MountOptions, parseMountOptions } from "./mount-options.ts";
import type { CopyUp } from "./steps/copy-up.ts";
import { bindMount, filesystemMount, remount } from "./steps/mounts.ts";

/** A mount of the configuration after everything about it is decided that can be decided before the launch. */
export type PlannedMount =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly sourceKind: "directory" | "file";
      readonly destination: string;
      readonly options: MountOptions;
      /** A descriptor of the user namespace whose mapping an idmapped mount takes over. */
      readonly idMapNamespace: number | undefined;
    }
  | {
      readonly kind: "filesystem";
      readonly type: string;
      readonly source: string | undefined;
      readonly destination: string;
      readonly options: MountOptions;
    }
  | { readonly kind: "remount"; readonly destination: string; readonly options: MountOptions };

/** What the plan of a mount depends on beyond the mount itself. */
export interface MountContext {
  /** Relative sources start here. */
  readonly bundle: string;
  /** Whether the container has a cgroup namespace of its own. */
  readonly ownCgroupNamespace: boolean;
  /** The SELinux label of the container's own filesystems (`linux.mountLabel`). */
  readonly mountLabel?: string | undefined;
  /** Gives a descriptor of a user namespace with the mount's mapping. */
  readonly openIdMapNamespace: (mount: Mount) => number;
}

/**
 * Decides how each mount of a configuration is made.
 * @throws BunkerError when a bind's source is missing or an option makes no sense
 */
export function planMounts(mounts: readonly Mount[], context: MountContext): PlannedMount[] {
  return mounts.map((mount) => planMount(mount, context));
}

function planMount(mount: Mount, context: MountContext): PlannedMount {
  const options = parseMountOptions(mount.options ?? []);
  // As runc: a relative destination, deprecated by the specification, starts at the container's root.
  const destination = resolve("/", mount.destination);
  if (options.remount) return { kind: "remount", destination, options };
  if (options.bind !== "none" || mount.type === "bind") {
    checkBindOptions(options, destination);
    const source = resolve(context.bundle, mount.source ?? "");
    return {
      kind: "bind",
      source,
      sourceKind: kindOf(source, destination),
      destination,
      options: options.bind === "none" ? { ...options, bind: "bind" } : options,
      idMapNamespace: options.idMap === "none" ? undefined : context.openIdMapNamespace(mount),
    };
  }
  const type = mount.type ?? "none";
  if (type === "cgroup" || type === "cgroup2") return planCgroupMount(destination, options, context);
  if (options.copyUp && type !== "tmpfs") {
    throw new BunkerError({
      code: "bad_mount_option",
      operation: `mount ${type} on`,
      object: destination,
      reason: "option tmpcopyup is for tmpfs only",
    });
  }
  const label = LABELLED.has(type) && context.mountLabel !== "" ? context.mountLabel : undefined;
  const data = label === undefined ? options.data : [...options.data, ["context", label] as const];
  return { kind: "filesystem", type, source: mount.source, destination, options: { ...options, data } };
}

/** Filesystems whose files have no labels of their own, and which take one for all. */
const LABELLED: ReadonlySet<string> = new Set(["tmpfs", "devpts"]);

/**
 * The control groups as the container sees them: the unified hierarchy from its own namespace's root, which the kernel
 * lets every user mount; without such a namespace the host's tree.
 */
function planCgroupMount(destination: string, options: MountOptions, context: MountContext): PlannedMount {
  if (context.ownCgroupNamespace) {
    return { kind: "filesystem", type: "cgroup2", source: "cgroup", destination, options };
  }
  const { set, clear } = options.attributes;
  return {
    kind: "bind",
    source: "/sys/fs/cgroup",
    sourceKind: "directory",
    destination,
    options: { ...options, bind: "rbind", data: [], recursiveAttributes: { set, clear } },
    idMapNamespace: undefined,
  };
}

function kindOf(source: string, destination: string): "directory" | "file" {
  try {
    return statSync(source).isDirectory() ? "directory" : "file";
  } catch (error) {
    throw new BunkerError({
      code: "mount_source_missing",
      operation: `bind mount on ${destination}: find`,
      object: source,
      errno: errnoOf(error),
    });
  }
}

/**
 * Emits the mounts in their order.
 * @param socket the program's end of the socket pair
 * @returns the copies that the program waits for on the way, in their order
 */
export function emitMounts(
  program: LaunchProgram,
  root: Slot,
  socket: number,
  mounts: readonly PlannedMount[],
): CopyUp[] {
  return mounts.flatMap((mount) => {
    if (mount.kind === "filesystem") return filesystemMount(program, root, socket, mount) ?? [];
    if (mount.kind === "bind") bindMount(program, root, mount);
    else remount(program, root, mount.destination, mount.options);
    return [];
  });
}
