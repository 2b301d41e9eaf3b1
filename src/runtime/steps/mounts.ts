/*
 * Mounts, from config.json to operations.
 *
 * Everything uses the mount API of Linux 5.2: a mount is first made detached (fsopen/fsmount for a filesystem of its
 * own, open_tree for a bind), gets its attributes while nobody can see it, and is then moved onto its target. A bind is
 * therefore never writable for a moment before it becomes read-only, and no existing flag of the source has to be
 * known: attributes are added, not replaced, so what the kernel has locked in a user namespace is never touched.
 * Targets are resolved by openat2 with the container's root as "/" (see files.ts), and the move names them by
 * descriptor, so a symbolic link in the image can neither lead outside nor be swapped in between.
 */

import type { OperationDescription } from "../../launch/failure.ts";
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import {
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  FsConfig,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MountAttribute,
  type MountAttributes,
  MountFlag,
  mountAttributesBytes,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../sys/mount.ts";
import { nodePath } from "../../sys/node-modules.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, OpenFlag } from "../../sys/open.ts";
import type { MountOptions } from "../mount-options.ts";
import { type CopyUp, emitCopyUp } from "./copy-up.ts";
import { closeSlot, openInRoot } from "./files.ts";
import { openOrMake } from "./open-or-make.ts";

const MOUNT_ATTRIBUTES_SIZE = 32;

/** Changes the attributes of the mount that `mount` stands for, or of the whole tree below it. */
export function setAttributes(
  program: LaunchProgram,
  mount: Slot,
  attributes: MountAttributes,
  recursive: boolean,
  what: OperationDescription,
): void {
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  program.call(
    "mount_setattr",
    [mount, program.text(""), flags, program.bytes(mountAttributesBytes(attributes)), MOUNT_ATTRIBUTES_SIZE],
    what,
  );
}

/**
 * Makes a detached copy of what is mounted at a path.
 * @param from a path, or a descriptor of the place
 * @returns the slot with the mount's descriptor
 */
export function cloneTree(
  program: LaunchProgram,
  from: string | Slot,
  recursive: boolean,
  what: OperationDescription,
): Slot {
  const tree = program.slot("tree");
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  if (typeof from === "string") {
    program.call("open_tree", [AT_FDCWD, program.text(from), flags], what, { result: tree });
  } else {
    program.call("open_tree", [from, program.text(""), flags | AT_EMPTY_PATH], what, { result: tree });
  }
  return tree;
}

/** Attaches a detached mount to an opened target and closes both. */
export function attach(program: LaunchProgram, mount: Slot, target: Slot, what: OperationDescription): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  program.call("move_mount", [mount, program.text(""), target, program.text(""), flags], what);
  closeSlot(program, mount);
  closeSlot(program, target);
}

/**
 * Makes a detached mount of a new filesystem.
 * @param type as in /proc/filesystems
 * @param attributes of the mount, bits of `MountAttribute`
 * @param data what the filesystem is told: flags (no value) and pairs, in order
 * @returns the slot with the mount's descriptor
 */
export function newFilesystem(
  program: LaunchProgram,
  type: string,
  source: string | undefined,
  attributes: number,
  data: readonly (readonly [string, string | undefined])[],
  what: OperationDescription,
): Slot {
  const context = program.slot(`${type} context`);
  const mount = program.slot(`${type} mount`);
  program.call("fsopen", [program.text(type), FSOPEN_CLOEXEC], what, { result: context });
  tellFilesystem(program, context, source === undefined || source === "" ? data : [["source", source], ...data], what);
  program.call("fsconfig", [context, FsConfig.CMD_CREATE, 0, 0, 0], what);
  program.call("fsmount", [context, FSMOUNT_CLOEXEC, attributes], what, { result: mount });
  closeSlot(program, context);
  return mount;
}

/** Emits what a filesystem is told before it is made or changed; fsconfig(2). */
function tellFilesystem(
  program: LaunchProgram,
  context: Slot,
  data: readonly (readonly [string, string | undefined])[],
  what: OperationDescription,
): void {
  for (const [key, value] of data) {
    const told = { ...what, operation: `set ${value === undefined ? key : `${key}=${value}`} to ${what.operation}` };
    if (value === undefined) program.call("fsconfig", [context, FsConfig.SET_FLAG, program.text(key), 0, 0], told);
    else program.call("fsconfig", [context, FsConfig.SET_STRING, program.text(key), program.text(value), 0], told);
  }
}

function applyPropagation(
  program: LaunchProgram,
  mount: Slot,
  options: MountOptions,
  what: OperationDescription,
): void {
  for (const { flag, recursive } of options.propagation) {
    setAttributes(program, mount, { propagation: flag }, recursive, what);
  }
}

/**
 * Emits something that clones mounts, as a bind does, without what is mounted at a place of the container's: its root, which
 * the directory that is bound lies above. Each such bind would otherwise hold all that there is of the container so far, the
 * one before it too, and so twice as many mounts as that.
 */
export function withoutClonesOf(program: LaunchProgram, mount: Slot, emit: () => void): void {
  const what = { operation: "keep the container's root out of what is bound" };
  setAttributes(program, mount, { propagation: MountFlag.MS_UNBINDABLE }, false, what);
  emit();
  setAttributes(program, mount, { propagation: MountFlag.MS_PRIVATE }, false, what);
}

function isEmpty(change: { readonly set: number; readonly clear: number }): boolean {
  return change.set === 0 && change.clear === 0;
}

/** The attributes and the propagation that the options ask for, on a detached or a mounted tree. */
function applyOptions(program: LaunchProgram, mount: Slot, options: MountOptions, what: OperationDescription): void {
  if (!isEmpty(options.attributes)) setAttributes(program, mount, options.attributes, false, what);
  if (!isEmpty(options.recursiveAttributes)) setAttributes(program, mount, options.recursiveAttributes, true, what);
  applyPropagation(program, mount, options, what);
}

/** A bind mount: `source` (a path of the host) appears at `destination` inside the root file system. */
export function bindMount(
  program: LaunchProgram,
  root: Slot,
  bind: {
    readonly source: string;
    /** The directory that the source lies in, and that no symbolic link leads out of. */
    readonly boundary?: string | undefined;
    readonly sourceKind: "directory" | "file";
    readonly destination: string;
    readonly options: MountOptions;
    /** A descriptor of the user namespace whose mapping an idmapped mount takes over. */
    readonly idMapNamespace?: number | undefined;
    /** The slot of a detached copy of the source, if there is one already. */
    readonly copied?: Slot | undefined;
  },
): void {
  const { source, destination, options } = bind;
  const what = bindOperation(bind);
  const tree = bind.copied ?? copySource(program, bind, what);
  mapIds(program, tree, bind, source, what);
  applyOptions(program, tree, options, what);
  const hint = "a file is mounted on files only, and a directory on directories";
  attach(program, tree, openOrMake(program, root, destination, bind.sourceKind), { ...what, hint });
}

/** Gives a detached mount the id map of a user namespace, where it has one. */
function mapIds(
  program: LaunchProgram,
  mount: Slot,
  { idMapNamespace, options }: { readonly idMapNamespace?: number | undefined; readonly options: MountOptions },
  name: string,
  what: OperationDescription,
): void {
  if (idMapNamespace === undefined) return;
  const idMapped = { set: MountAttribute.IDMAP, userNamespace: idMapNamespace };
  setAttributes(program, mount, idMapped, options.idMap === "ridmap", {
    ...what,
    operation: `map the ids of ${name} on`,
    hint: "the kernel lets only the administrator map ids of this filesystem",
  });
}

/** What failures of a bind are about. */
export function bindOperation({ source, destination }: { readonly source: string; readonly destination: string }) {
  return { operation: `bind mount ${source} on`, object: destination };
}

/** Emits a detached copy of what a bind shows. */
export function copySource(
  program: LaunchProgram,
  {
    source,
    boundary,
    options,
  }: { readonly source: string; readonly boundary?: string | undefined; readonly options: MountOptions },
  what: OperationDescription,
): Slot {
  const from = boundary === undefined ? source : openWithin(program, boundary, source, what);
  const tree = cloneTree(program, from, options.bind === "rbind", {
    ...what,
    hint:
      options.bind === "rbind"
        ? "check that the source exists and can be read by you"
        : "a directory with mounts below it can only be bound recursively (rbind) in a user namespace",
  });
  if (typeof from !== "string") closeSlot(program, from);
  return tree;
}

/** Opens what is to be bound with a directory as root, so that nothing in it leads out of it. */
function openWithin(program: LaunchProgram, boundary: string, source: string, what: OperationDescription): Slot {
  const directory = program.slot("boundary");
  const flags = OpenFlag.O_PATH | OpenFlag.O_CLOEXEC;
  program.call("openat", [AT_FDCWD, program.text(boundary), flags, 0], what, { result: directory });
  const opened = openInRoot(program, directory, nodePath().relative(boundary, source), { what });
  closeSlot(program, directory);
  return opened;
}

/**
 * Mounts a new filesystem at `destination` inside the root file system.
 * @param socket the program's end of the socket pair
 * @returns the copy that the program waits for before it attaches the mount, if the options ask for one
 */
export function filesystemMount(
  program: LaunchProgram,
  root: Slot,
  socket: number,
  mount: {
    readonly type: string;
    readonly source: string | undefined;
    readonly destination: string;
    readonly options: MountOptions;
    /** As for a bind. */
    readonly idMapNamespace: number | undefined;
  },
): CopyUp | undefined {
  const { type, destination, options } = mount;
  const what = { operation: `mount ${type} on`, object: destination, hint: filesystemHints[type] };
  // A directory that is made for the mount has nothing to hand down, not even its mode.
  const wasThere = options.copyUp ? isThere(program, root, destination) : undefined;
  const target = openOrMake(program, root, destination, "directory");
  const { set } = options.attributes;
  // What is copied to must be writable until then.
  const first = options.copyUp ? set & ~MountAttribute.RDONLY : set;
  const detached = newFilesystem(program, type, mount.source, first, options.data, what);
  const isSettled = (...keys: string[]) => options.data.some(([key]) => keys.includes(key));
  const settled = { owner: isSettled("uid", "gid"), mode: isSettled("mode") };
  const copyUp =
    wasThere === undefined
      ? undefined
      : emitCopyUp(program, socket, { source: target, destination: detached, wasThere, path: destination, settled });
  if (wasThere !== undefined) program.release(wasThere);
  if (first !== set) setAttributes(program, detached, { set }, false, what);
  mapIds(program, detached, mount, `the new ${type}`, what);
  if (!isEmpty(options.recursiveAttributes)) {
    setAttributes(program, detached, options.recursiveAttributes, true, what);
  }
  applyPropagation(program, detached, options, what);
  attach(program, detached, target, what);
  return copyUp;
}

/** Emits the look for a path; the slot is 1 if it is there, 0 if not. */
function isThere(program: LaunchProgram, root: Slot, path: string): Slot {
  const found = program.slot("was there");
  const there = program.label("there");
  const done = program.label();
  const file = openInRoot(program, root, path, { ifThere: there });
  program.set(found, 0);
  program.jump(done);
  program.place(there);
  program.set(found, 1);
  closeSlot(program, file);
  program.place(done);
  return found;
}

/** What to do about the refusals that ordinary users meet. */
const filesystemHints: Readonly<Record<string, string>> = {
  proc: "a new proc needs a pid namespace of the container's own and an outer /proc that nothing is mounted over",
  sysfs: "a new sysfs needs a network namespace of the container's own; bind the host's /sys otherwise",
  mqueue: "a new mqueue needs an ipc namespace of the container's own",
};

/** Changes the options of what is mounted at `destination` already, and those of its filesystem. */
export function remount(program: LaunchProgram, root: Slot, destination: string, options: MountOptions): void {
  const what = { operation: "remount", object: destination };
  const target = openOrMake(program, root, destination, "directory");
  if (options.data.length > 0) {
    const context = program.slot("context");
    const flags = FSPICK_CLOEXEC | FSPICK_EMPTY_PATH;
    program.call("fspick", [target, program.text(""), flags], what, { result: context });
    tellFilesystem(program, context, options.data, what);
    program.call("fsconfig", [context, FsConfig.CMD_RECONFIGURE, 0, 0, 0], what);
    closeSlot(program, context);
  }
  applyOptions(program, target, options, what);
  closeSlot(program, target);
}
