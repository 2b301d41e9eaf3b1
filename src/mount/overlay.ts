/*
 * Theory of operation: kernel overlayfs as a step of a launch program, mounted by the process that is to see it, in its
 * own user and mount namespace; always with `userxattr`, which is what an unprivileged mount has (Linux 5.11).
 *
 * How the kernel is told the lower directories. Since Linux 6.5 each is an option of its own (`lowerdir+`), of at most
 * 255 bytes; before, all of them share one string that mount(2) cuts at a page. Either way short names count, so the
 * program first goes to a base directory, and what lies below it is named relative to it. Where that is not enough, the
 * program mounts a small tmpfs on the target, makes symbolic links there whose names are numbers, goes there, and gives
 * the kernel those: 500 names are 1890 bytes. The overlay is then mounted on top of the tmpfs and hides it.
 *
 * How many there are. The kernel takes 500 (OVL_MAX_STACK). Beyond that, the lowest 500 are merged first, into a
 * read-only overlay in that tmpfs, which is the lowest directory of the real one. That can be done with the lowest only,
 * since in an overlay what its layers hide is gone, also from what would come below it; and once only, since the kernel
 * stacks two filesystems on one another and no third (FILESYSTEM_MAX_STACK_DEPTH). So 999 layers are the most, which no
 * image comes near.
 *
 * Where changes go. To a directory; or nowhere, and then the mount is read-only, and of a single lower directory it is a
 * bind, as the kernel makes no overlay of one; or to memory, for a container with a read-only root: mount points that
 * its image lacks still have to be made in it, but nothing of that is worth a disk.
 *
 * `volatile` lets the kernel leave out all waiting for the disk, so after a crash of the machine the upper directory may
 * hold anything. The kernel marks its work directory from the mount on (incompat/volatile) and refuses that ever after,
 * with EINVAL. But as long as the machine has not gone down, nothing is lost, whatever has become of the container: its
 * files are in the kernel's memory. So beside the work directory stands in which boot the layer was first mounted. In
 * the same one the mark is taken away, and the layer used again; in another, the mount fails and says why.
 */

import type { OperationDescription } from "../launch/failure.ts";
import { OPERATION_SIZE, type Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "../runtime/steps/mounts.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { kernelRelease } from "../sys/kernel-release.ts";
import { MountAttribute, MountFlag } from "../sys/mount.ts";
import { exists, putText, readText } from "../sys/named-file.ts";
import { AT_FDCWD, AT_REMOVEDIR, OpenFlag } from "../sys/open.ts";
import { readIfThere } from "../sys/read-if-there.ts";

/** One union of directories. */
export interface OverlayMount {
  /** The read-only directories, uppermost first; absolute. */
  readonly lower: readonly string[];
  /** Where changes go; `memory` for as long as the mount is there; undefined for a read-only mount. */
  readonly changes: WritableLayer | "memory" | undefined;
  readonly target: string;
}

/** Directories for what is changed in a union. */
export interface WritableLayer {
  readonly upper: string;
  /** A directory beside `upper`, for the kernel: empty, or used with this `upper` before. */
  readonly work: string;
  /** Whether a crash of the machine may leave both unusable, in exchange for no waiting for the disk. */
  readonly volatile: boolean;
}

/** How the kernel is told the lower directories: one by one, or joined in one text of mount(2). */
export type LowerOption = "lowerdir+" | "lowerdir";

const LONGEST_OPTION = 255;
const PAGE_SIZE = 4096;
/** OVL_MAX_STACK of the kernel. */
const MOST_AT_ONCE = 500;
/** What one of the layers needs in a launch program besides its name: a link, an option, and the rows of a table. */
const PROGRAM_SIZE_OF_LAYER = 2 * OPERATION_SIZE + 64;
const DIRECTORY_MODE = 0o755;
const HINT =
  "overlay mounts of ordinary users need Linux 5.11, and directories on a filesystem that supports user.* attributes";

/** How this kernel is told the lower directories. */
function lowerOption(): LowerOption {
  const [major = 0, minor = 0] = kernelRelease().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 5) ? "lowerdir+" : "lowerdir";
}

/** How many bytes the mount may need in a launch program. */
export function overlayProgramSize({ lower }: Pick<OverlayMount, "lower">): number {
  return lower.reduce((sum, path) => sum + Buffer.byteLength(path) + PROGRAM_SIZE_OF_LAYER, 0);
}

/**
 * Emits the mount. The program's working directory is another one afterwards.
 * @param base an absolute directory to go to, so that the directories below it have short names
 * @param option how the kernel is told the lower directories
 * @throws BunkerError `too_many_layers`; the program itself fails with `dirty_writable_layer` where a volatile mount of
 * an earlier boot has left its mark
 */
export function mountOverlay(
  program: LaunchProgram,
  base: string,
  overlay: OverlayMount,
  option: LowerOption = lowerOption(),
): void {
  const { lower, changes, target } = overlay;
  const what = { operation: "mount overlay on", object: target, hint: HINT };
  const [only] = lower;
  if (changes === undefined && only !== undefined && lower.length === 1) {
    bindReadOnly(program, only, target);
    return;
  }
  if (typeof changes === "object") settleMark(program, changes, target);
  const layers = relativeLayers(base, lower, changes);
  if (changes !== "memory" && lower.length <= MOST_AT_ONCE && fits(layers, option)) {
    changeDirectory(program, base);
    mountLayers(program, layers, target, option, what);
    return;
  }
  mountNumberedLayers(program, overlay, option, what);
}

/** The directories of a mount by the names that the kernel is given. */
interface NamedLayers {
  readonly lower: readonly string[];
  readonly changes: WritableLayer | undefined;
}

function relativeLayers(base: string, lower: readonly string[], changes: OverlayMount["changes"]): NamedLayers {
  const shortName = (path: string) => (path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path);
  return {
    lower: lower.map(shortName),
    changes:
      typeof changes === "object"
        ? { ...changes, upper: shortName(changes.upper), work: shortName(changes.work) }
        : undefined,
  };
}

function changeDirectory(program: LaunchProgram, directory: string): void {
  program.call("chdir", [program.text(directory)], { operation: "change to directory", object: directory });
}

function bindReadOnly(program: LaunchProgram, source: string, target: string): void {
  const what = { operation: `bind mount ${source} on`, object: target };
  const tree = cloneTree(program, source, false, what);
  setAttributes(program, tree, { set: MountAttribute.RDONLY | MountAttribute.NODEV }, false, what);
  attach(program, tree, openTarget(program, target), what);
}

/** Takes the mark of a volatile mount away, if there is one and it means nothing; else it ends the program. */
function settleMark(program: LaunchProgram, { upper, work, volatile }: WritableLayer, target: string): void {
  const record = `${work}.boot`;
  const present = () => readText("/proc/sys/kernel/random/boot_id");
  // The kernel makes that directory at the first mount, and only root of the namespace sees what is in it.
  if (!exists(`${work}/work`)) {
    if (volatile) putText(record, present());
    return;
  }
  const path = `${work}/work/incompat/volatile`;
  const mark = program.text(path);
  const what = { operation: "look for the mark of a volatile mount in", object: work };
  if (readIfThere(record) === present()) {
    program.call("unlinkat", [AT_FDCWD, program.text(`${path}/dirty`), 0], what, { ignore: [Errno.ENOENT] });
    program.call("unlinkat", [AT_FDCWD, mark, AT_REMOVEDIR], what, { ignore: [Errno.ENOENT] });
    return;
  }
  const isClean = program.label("is clean");
  const F_OK = 0;
  program.call("faccessat", [AT_FDCWD, mark, F_OK], what, { ignore: [Errno.ENOENT], onIgnored: isClean });
  program.fail({
    code: "dirty_writable_layer",
    operation: "mount overlay on",
    object: target,
    reason:
      "the machine has gone down since its writable layer was mounted without waiting for the disk, so what it holds may be incomplete",
    hint: `create the container anew; its former changes are in ${upper}`,
  });
  program.place(isClean);
}

/** Mounts through links with short names in a tmpfs on the target; see the head of this file. */
function mountNumberedLayers(
  program: LaunchProgram,
  { lower, changes, target }: OverlayMount,
  option: LowerOption,
  what: OperationDescription,
): void {
  if (lower.length > 2 * MOST_AT_ONCE - 1) {
    throw new BunkerError({
      code: "too_many_layers",
      operation: "mount overlay on",
      object: target,
      reason: `${lower.length} layers are more than the ${2 * MOST_AT_ONCE - 1} that the kernel can be made to take`,
    });
  }
  const scratch = newFilesystem(program, "tmpfs", "tmpfs", MountAttribute.NODEV, [["mode", "700"]], what);
  attach(program, scratch, openTarget(program, target), what);
  changeDirectory(program, target);
  const links = lower.map((path, index) => ({ path, name: String(index) }));
  const named = links.map(({ name }) => name);
  if (typeof changes === "object") {
    links.push({ path: changes.upper, name: "upper" }, { path: changes.work, name: "work" });
  }
  const rows = links.map(({ path, name }) => [program.text(path), program.text(name)] as const);
  program.forEach(["path", "name"], rows, (path, name) => {
    program.call("symlinkat", [path, AT_FDCWD, name], { operation: "make a link to", objectSlot: path.index });
  });
  const makeDirectory = (name: string) => program.call("mkdirat", [AT_FDCWD, program.text(name), DIRECTORY_MODE], what);
  if (changes === "memory") for (const name of ["upper", "work"]) makeDirectory(name);
  const lowest = named.splice(Math.min(named.length, MOST_AT_ONCE - 1));
  if (lowest.length > 1) {
    makeDirectory("lowest");
    const lowestWhat = {
      operation: `mount overlay of the lowest ${lowest.length} layers on`,
      object: target,
      hint: `${HINT}; with so many layers, not on an overlay`,
    };
    mountLayers(program, { lower: lowest, changes: undefined }, "lowest", option, lowestWhat);
    named.push("lowest");
  } else named.push(...lowest);
  const isVolatile = typeof changes === "object" && changes.volatile;
  const writable = changes === undefined ? undefined : { upper: "upper", work: "work", volatile: isVolatile };
  mountLayers(program, { lower: named, changes: writable }, target, option, what);
}

/** Escapes for options of their own, among which the kernel takes only `lowerdir+` as it is. */
function escapeBackslashes(path: string): string {
  return path.replaceAll("\\", "\\\\");
}

/** Escapes what separates lower directories and options in the string of mount(2). */
function escapeForMount(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}

function separateOptions({ lower, changes }: NamedLayers): (readonly [string, string | undefined])[] {
  return [
    ...lower.map((name) => ["lowerdir+", name] as const),
    ...(changes === undefined
      ? []
      : ([
          ["upperdir", escapeBackslashes(changes.upper)],
          ["workdir", escapeBackslashes(changes.work)],
        ] as const)),
    ["userxattr", undefined],
    ...(changes?.volatile === true ? ([["volatile", undefined]] as const) : []),
  ];
}

function joinedOptions({ lower, changes }: NamedLayers): string {
  return [
    `lowerdir=${lower.map(escapeForMount).join(":")}`,
    ...(changes === undefined
      ? []
      : [`upperdir=${escapeForMount(changes.upper)}`, `workdir=${escapeForMount(changes.work)}`]),
    "userxattr",
    ...(changes?.volatile === true ? ["volatile"] : []),
  ].join(",");
}

/** Whether the kernel takes names of this length. */
function fits(layers: NamedLayers, option: LowerOption): boolean {
  if (option === "lowerdir") return Buffer.byteLength(joinedOptions(layers)) < PAGE_SIZE;
  return separateOptions(layers).every(([, value = ""]) => Buffer.byteLength(value) <= LONGEST_OPTION);
}

function mountLayers(
  program: LaunchProgram,
  layers: NamedLayers,
  target: string,
  option: LowerOption,
  what: OperationDescription,
): void {
  const isReadOnly = layers.changes === undefined;
  if (option === "lowerdir+") {
    const attributes = MountAttribute.NODEV | (isReadOnly ? MountAttribute.RDONLY : 0);
    const mount = newFilesystem(program, "overlay", "overlay", attributes, separateOptions(layers), what);
    attach(program, mount, openTarget(program, target), what);
    return;
  }
  const type = program.text("overlay");
  const flags = MountFlag.MS_NODEV | (isReadOnly ? MountFlag.MS_RDONLY : 0);
  program.call("mount", [type, program.text(target), type, flags, program.text(joinedOptions(layers))], what);
}

function openTarget(program: LaunchProgram, path: string): Slot {
  const target = program.slot("overlay target");
  const flags = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  const what = { operation: "open mount point", object: path };
  program.call("openat", [AT_FDCWD, program.text(path), flags], what, { result: target });
  return target;
}
