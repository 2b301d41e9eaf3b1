/** Masked and read-only paths (`linux.maskedPaths`, `linux.readonlyPaths`): what of /proc and /sys a container may not see or change. */

import type { OperationDescription } from "../../launch/failure.ts";
import type { Slot } from "../../launch/operation.ts";
import type { Label } from "../../launch/operation-table.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH, MountAttribute } from "../../sys/mount.ts";
import { closeSlot, openInRoot } from "./files.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";

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
 */
export function maskPaths(program: LaunchProgram, root: Slot, paths: readonly string[]): void {
  forEachPath(program, root, paths, "mask", (target, what) => {
    const close = program.label("close");
    const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    const nothing = cloneTree(program, "/dev/null", false, what);
    const noPath = program.text("");
    // A file cannot be mounted on a directory: EINVAL says which of the two the path is.
    program.call("move_mount", [nothing, noPath, target, noPath, flags], what, {
      ignore: [Errno.EINVAL],
      onSuccess: close,
    });
    const directory = newFilesystem(program, "tmpfs", "tmpfs", RDONLY | NOSUID | NODEV | NOEXEC, EMPTY, what);
    program.call("move_mount", [directory, noPath, target, noPath, flags], what);
    closeSlot(program, directory);
    program.place(close);
    closeSlot(program, nothing);
    closeSlot(program, target);
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
