/*
 * Kernel overlayfs as a step of a launch program, mounted by the container's own process in its user namespace; always
 * with `userxattr`, which is what an unprivileged mount has (Linux 5.11).
 *
 * Since Linux 6.5 every lower directory is an option of its own (`lowerdir+`), of at most 255 bytes; before, all of them
 * share one string that mount(2) cuts at a page. Either way short names count, so the program first goes to a base
 * directory, and what lies below it is named relative to it.
 */
import { release } from "node:os";
import { relative } from "node:path";
import type { Slot } from "../launch/operation.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { attach, newFilesystem } from "../runtime/steps/mounts.ts";
import { BunkerError } from "../sys/error.ts";
import { MountAttribute, MountFlag } from "../sys/mount.ts";
import { AT_FDCWD, OpenFlag } from "../sys/open.ts";

/** One union of directories. */
export interface OverlayMount {
  /** The read-only directories, uppermost first; absolute. */
  readonly lower: readonly string[];
  readonly upper: string;
  /** An empty directory beside `upper`, for the kernel. */
  readonly work: string;
  readonly target: string;
  /** Whether the upper directory may be left unusable by a crash, in exchange for fewer waits for the disk. */
  readonly volatile: boolean;
}

const LONGEST_OPTION = 255;
const PAGE_SIZE = 4096;

/** Whether this kernel is at least the given version. */
function isKernelAtLeast(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function shortName(base: string, path: string): string {
  const name = relative(base, path);
  return name.startsWith("..") ? path : name;
}

/** Escapes for options of their own, among which the kernel takes only `lowerdir+` as it is. */
function escapeBackslashes(path: string): string {
  return path.replaceAll("\\", "\\\\");
}

/** Escapes what separates lower directories and options in the string of mount(2). */
function escapeForMount(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}

/**
 * Emits the mount.
 * @param base an absolute directory to go to, so that the directories below it have short names
 * @throws BunkerError `overlay_too_long` when the kernel cannot be given the names
 */
export function mountOverlay(program: LaunchProgram, base: string, overlay: OverlayMount): void {
  const what = {
    operation: "mount overlay on",
    object: overlay.target,
    hint: "overlay mounts of ordinary users need Linux 5.11, and directories on a filesystem that supports user.* attributes",
  };
  program.call("chdir", [program.text(base)], { operation: "change to directory", object: base });
  const lower = overlay.lower.map((path) => shortName(base, path));
  const upper = shortName(base, overlay.upper);
  const work = shortName(base, overlay.work);
  const data: (readonly [string, string | undefined])[] = [
    ...lower.map((name) => ["lowerdir+", name] as const),
    ["upperdir", escapeBackslashes(upper)],
    ["workdir", escapeBackslashes(work)],
    ["userxattr", undefined],
  ];
  if (isKernelAtLeast(6, 5) && data.every(([, value = ""]) => Buffer.byteLength(value) <= LONGEST_OPTION)) {
    if (overlay.volatile) data.push(["volatile", undefined]);
    const mount = newFilesystem(program, "overlay", "overlay", MountAttribute.NODEV, data, what);
    attach(program, mount, openTarget(program, overlay.target), what);
    return;
  }
  const options = [
    `lowerdir=${lower.map(escapeForMount).join(":")}`,
    `upperdir=${escapeForMount(upper)}`,
    `workdir=${escapeForMount(work)}`,
    "userxattr",
    ...(overlay.volatile ? ["volatile"] : []),
  ].join(",");
  if (Buffer.byteLength(options) >= PAGE_SIZE) {
    throw new BunkerError({
      code: "overlay_too_long",
      operation: "mount overlay on",
      object: overlay.target,
      reason: `its ${lower.length} layers need ${Buffer.byteLength(options)} bytes of options, and this kernel takes ${PAGE_SIZE - 1}`,
      hint: "Linux 6.5 has no such limit; a shorter path to the store helps too",
    });
  }
  const overlayText = program.text("overlay");
  const flags = MountFlag.MS_NODEV;
  program.call("mount", [overlayText, program.text(overlay.target), overlayText, flags, program.text(options)], what);
}

function openTarget(program: LaunchProgram, path: string): Slot {
  const target = program.slot("overlay target");
  const flags = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  const what = { operation: "open mount point", object: path };
  program.call("openat", [AT_FDCWD, program.text(path), flags], what, { result: target });
  return target;
}
