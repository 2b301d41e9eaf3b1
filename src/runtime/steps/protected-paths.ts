/** Masked and read-only paths (`linux.maskedPaths`, `linux.readonlyPaths`): what of /proc and /sys a container may not see or change. */

import type { OperationDescription } from "../../launch/failure.ts";
import type { Slot } from "../../launch/operation.ts";
import type { Label } from "../../launch/operation-table.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { MountAttribute } from "../../sys/mount.ts";
import { openInRoot } from "./files.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";

const F_OK = 0;
const { RDONLY, NOSUID, NODEV, NOEXEC } = MountAttribute;

/** Options of a tmpfs that holds nothing but its root. */
const EMPTY = [
  ["nr_inodes", "1"],
  ["mode", "755"],
] as const;

/** Opens a path in the root file system, or goes to `absent` when there is none. */
function openIfThere(program: LaunchProgram, root: Slot, path: Slot, what: OperationDescription, absent: Label): Slot {
  const there = program.label("there");
  const target = openInRoot(program, root, path, { what, ifThere: there });
  program.jump(absent);
  program.place(there);
  return target;
}

/** Calls `protect` for each of several paths that exists, with its opened place. */
function forEachPath(
  program: LaunchProgram,
  root: Slot,
  paths: readonly string[],
  operation: string,
  protect: (target: Slot, what: OperationDescription) => void,
): void {
  const rows = paths.map((path) => [program.text(path)] as const);
  program.forEach(["path"], rows, (path) => {
    const what = { operation, objectSlot: path.index };
    const done = program.label("done");
    protect(openIfThere(program, root, path, what, done), what);
    program.place(done);
  });
}

/**
 * Hides paths: a file behind the host's /dev/null, a directory behind an empty read-only tmpfs. Paths that do not exist
 * are passed over.
 *
 * Which of the two a path is has to be asked before anything is made for it: to close a mount that was never attached takes
 * as long as all processors need to notice, milliseconds on a busy machine.
 */
export function maskPaths(program: LaunchProgram, root: Slot, paths: readonly string[]): void {
  forEachPath(program, root, paths, "mask", (target, what) => {
    const isFile = program.label("file");
    const isThere = program.label("cover");
    const itself = program.slot("itself");
    program.call("faccessat", [target, program.text("."), F_OK], what, { result: itself, ignore: "any" });
    program.branch(itself, "equal", -Errno.ENOTDIR, isFile);
    program.release(itself);
    const cover = newFilesystem(program, "tmpfs", "tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, EMPTY, what);
    program.jump(isThere);
    program.place(isFile);
    const nothing = cloneTree(program, "/dev/null", false, what);
    program.set(cover, nothing);
    program.release(nothing);
    program.place(isThere);
    attach(program, cover, target, what);
  });
}

/** Makes paths, with all that is mounted below them, read-only; those that do not exist are passed over. */
export function makePathsReadOnly(program: LaunchProgram, root: Slot, paths: readonly string[]): void {
  forEachPath(program, root, paths, "make read-only", (target, what) => {
    const tree = cloneTree(program, target, true, what);
    setAttributes(program, tree, { set: RDONLY }, true, what);
    attach(program, tree, target, what);
  });
}
