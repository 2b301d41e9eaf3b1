import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { encodeText } from "../sys/byte-string.ts";
import { BunkerError } from "../sys/error.ts";
import { openAt, openAt2, statusOf, statusThroughLinks } from "../sys/file.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { MountFlag } from "../sys/mount.ts";
import { nodePath } from "../sys/node-modules.ts";
import { AT_FDCWD, OpenFlag, Resolve } from "../sys/open.ts";
import { resolvePath } from "../sys/resolve-path.ts";
import { FileMode, isType } from "../sys/stat.ts";
import type { Mount } from "./configuration/configuration.ts";
import { checkBindOptions, type MountOptions, parseMountOptions } from "./mount-options.ts";
import { realPath, realRootPath } from "./root-path.ts";
import type { CopyUp } from "./steps/copy-up.ts";
import { fetchForeignMount } from "./steps/foreign-mounts.ts";
import { bindMount, bindOperation, copySource, filesystemMount, remount, withoutClonesOf } from "./steps/mounts.ts";

/** A mount of the configuration after everything about it is decided that can be decided before the launch. */
export type PlannedMount =
  | {
      readonly kind: "bind";
      readonly source: string;
      /** The directory that the source lies in, and that no symbolic link leads out of; undefined if any may. */
      readonly boundary: string | undefined;
      readonly sourceKind: "directory" | "file";
      readonly destination: string;
      readonly options: MountOptions;
      /** A descriptor of the user namespace whose mapping an idmapped mount takes over. */
      readonly idMapNamespace: number | undefined;
      /** A descriptor of the mount namespace that the source is in; undefined for the runtime's own. */
      readonly mountNamespace: number | undefined;
    }
  | {
      readonly kind: "filesystem";
      readonly type: string;
      readonly source: string | undefined;
      readonly destination: string;
      readonly options: MountOptions;
      /** As for a bind. */
      readonly idMapNamespace: number | undefined;
    }
  | { readonly kind: "remount"; readonly destination: string; readonly options: MountOptions };

type PlannedBind = Extract<PlannedMount, { readonly kind: "bind" }>;

/** The directory that a bind's source lies in, and that no symbolic link leads out of. */
export interface Boundary {
  readonly directory: string;
  /** What the source is, where that cannot be seen before the container mounts it. */
  readonly kind?: "directory" | "file" | undefined;
}

/** What the plan of a mount depends on beyond the mount itself. */
export interface MountContext {
  /** Relative sources start here. */
  readonly bundle: string;
  /** By destinations of binds. */
  readonly boundaries?: ReadonlyMap<string, Boundary> | undefined;
  /** For destinations of binds: descriptors of the mount namespaces that their sources, directories, are in. */
  readonly mountNamespaces?: ReadonlyMap<string, number> | undefined;
  /** Whether the container has a cgroup namespace of its own. */
  readonly ownCgroupNamespace: boolean;
  /** The SELinux label of the container's own filesystems (`linux.mountLabel`). */
  readonly mountLabel?: string | undefined;
  /** Gives a descriptor of a user namespace with the mount's mapping; `written` is that of `MountOptions.idMapping`. */
  readonly openIdMapNamespace: (mount: Mount, written: string | undefined) => number;
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
  const destination = resolvePath(mount.destination, "/");
  if (options.remount) return { kind: "remount", destination, options };
  if (options.bind !== "none" || mount.type === "bind") {
    checkBindOptions(options, destination);
    const source = resolvePath(mount.source ?? "", context.bundle);
    const boundary = context.boundaries?.get(destination);
    const mountNamespace = context.mountNamespaces?.get(destination);
    const sourceKind =
      mountNamespace !== undefined
        ? "directory"
        : boundary === undefined
          ? kindOf(source, destination)
          : (boundary.kind ?? kindWithin(boundary.directory, source, destination));
    return {
      kind: "bind",
      source,
      boundary: boundary?.directory,
      sourceKind,
      destination,
      options: options.bind === "none" ? { ...options, bind: "bind" } : options,
      idMapNamespace: idMapNamespaceOf(mount, options, context),
      mountNamespace,
    };
  }
  const type = mount.type ?? "none";
  const idMapNamespace = idMapNamespaceOf(mount, options, context);
  if (type === "cgroup" || type === "cgroup2") return planCgroupMount(destination, options, idMapNamespace, context);
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
  return { kind: "filesystem", type, source: mount.source, destination, options: { ...options, data }, idMapNamespace };
}

/** What the mount's ids are mapped by: its own mappings, which need no option, or the container's where one asks for it. */
function idMapNamespaceOf(mount: Mount, options: MountOptions, context: MountContext): number | undefined {
  const isMapped = options.idMap !== "none" || (mount.uidMappings ?? []).length > 0;
  return isMapped ? context.openIdMapNamespace(mount, options.idMapping) : undefined;
}

/** Filesystems whose files have no labels of their own, and which take one for all. */
const LABELLED: ReadonlySet<string> = new Set(["tmpfs", "devpts"]);

/**
 * The control groups as the container sees them: the unified hierarchy from its own namespace's root, which the kernel
 * lets every user mount; without such a namespace the host's tree.
 */
function planCgroupMount(
  destination: string,
  options: MountOptions,
  idMapNamespace: number | undefined,
  context: MountContext,
): PlannedMount {
  if (context.ownCgroupNamespace) {
    return { kind: "filesystem", type: "cgroup2", source: "cgroup", destination, options, idMapNamespace };
  }
  const { set, clear } = options.attributes;
  return {
    kind: "bind",
    source: "/sys/fs/cgroup",
    boundary: undefined,
    sourceKind: "directory",
    destination,
    options: { ...options, bind: "rbind", data: [], recursiveAttributes: { set, clear } },
    idMapNamespace,
    mountNamespace: undefined,
  };
}

/** Whether a bind takes along what is mounted at a path. */
function isAbove({ source, sourceKind, options, boundary, mountNamespace }: PlannedBind, path: string): boolean {
  if (sourceKind === "file" || options.bind !== "rbind") return false;
  // What the path leads to is somewhere else then.
  if (boundary !== undefined || mountNamespace !== undefined) return false;
  const real = realPath(source);
  return typeof real === "string" && realRootPath(path).startsWith(real === "/" ? real : `${real}/`);
}

function kindOf(source: string, destination: string): "directory" | "file" {
  const status = statusThroughLinks(AT_FDCWD, encodeText(source));
  if (typeof status === "number") throw missing(source, destination, -status);
  return isType(status, FileMode.directory) ? "directory" : "file";
}

/**
 * The same for a source in a directory whose content is not trusted. Should it become something else until it is mounted,
 * the kernel refuses to mount it on a target of another kind.
 */
function kindWithin(boundary: string, source: string, destination: string): "directory" | "file" {
  const directory = openAt(AT_FDCWD, encodeText(boundary), OpenFlag.O_PATH | OpenFlag.O_CLOEXEC);
  if (directory < 0) throw missing(boundary, destination, -directory);
  using root = new FileDescriptor(directory);
  const found = openAt2(
    root.number,
    encodeText(nodePath().relative(boundary, source)),
    OpenFlag.O_PATH | OpenFlag.O_CLOEXEC,
    Resolve.IN_ROOT | Resolve.NO_MAGICLINKS,
  );
  if (found < 0) throw missing(source, destination, -found);
  using file = new FileDescriptor(found);
  const status = statusOf(file.number);
  return typeof status !== "number" && isType(status, FileMode.directory) ? "directory" : "file";
}

function missing(source: string, destination: string, errno: number | undefined): BunkerError {
  const operation = `bind mount on ${destination}: find`;
  return new BunkerError({
    code: "mount_source_missing",
    operation,
    object: source,
    errno,
    hint: "Its source must be a file or directory of the host that you may reach.",
  });
}

/** Emits the copying of what is mounted in other mount namespaces; for `emitMounts`. */
export function fetchForeignMounts(
  program: LaunchProgram,
  mounts: readonly PlannedMount[],
): ReadonlyMap<PlannedMount, Slot> {
  return new Map(
    mounts.flatMap((mount) =>
      mount.kind === "bind" && mount.mountNamespace !== undefined
        ? [[mount, fetchForeignMount(program, { namespace: mount.mountNamespace, path: mount.source })]]
        : [],
    ),
  );
}

/**
 * Emits the cloning of what shared binds are made of, while their sources still belong to the peer groups that they have on
 * the host; for `emitMounts`. Those with a boundary, in volumes, are nobody else's.
 */
export function cloneSharedSources(
  program: LaunchProgram,
  mounts: readonly PlannedMount[],
): readonly (readonly [PlannedMount, Slot])[] {
  return mounts.flatMap((mount) =>
    mount.kind === "bind" &&
    mount.mountNamespace === undefined &&
    mount.boundary === undefined &&
    mount.options.propagation.some(({ flag }) => flag === MountFlag.MS_SHARED)
      ? [[mount, copySource(program, mount, bindOperation(mount))] as const]
      : [],
  );
}

/**
 * Emits the mounts in their order.
 * @param root the slot of the container's root, which lies at `rootPath` on the host
 * @param socket the program's end of the socket pair
 * @param copied the slots of the sources of binds that have been cloned already
 * @returns the copies that the program waits for on the way, in their order
 */
export function emitMounts(
  program: LaunchProgram,
  { root, rootPath }: { readonly root: Slot; readonly rootPath: string },
  socket: number,
  mounts: readonly PlannedMount[],
  copied: ReadonlyMap<PlannedMount, Slot>,
): CopyUp[] {
  return mounts.flatMap((mount) => {
    if (mount.kind === "filesystem") return filesystemMount(program, root, socket, mount) ?? [];
    if (mount.kind === "bind") {
      const bind = () => bindMount(program, root, { ...mount, copied: copied.get(mount) });
      if (isAbove(mount, rootPath)) withoutClonesOf(program, root, bind);
      else bind();
    } else remount(program, root, mount.destination, mount.options);
    return [];
  });
}
