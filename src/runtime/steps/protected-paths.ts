/** Masked and read-only paths (`linux.maskedPaths`, `linux.readonlyPaths`): what of /proc and /sys a container may not see or change. */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH, MountAttribute } from "../../sys/mount.ts";
import { OPEN_HOW_SIZE, OpenFlag, openHowBytes, Resolve } from "../../sys/open.ts";
import { closeSlot } from "./files.ts";
import { attach, cloneTree, newFilesystem, setAttributes } from "./mounts.ts";

const { RDONLY, NOSUID, NODEV, NOEXEC } = MountAttribute;

/** Opens a path in the root file system if it exists; otherwise goes on at `absent`. */
function openIfThere(
  program: LaunchProgram,
  root: Slot,
  path: string,
  absent: ReturnType<LaunchProgram["label"]>,
): Slot {
  const found = program.slot(`protected ${path}`);
  const how = program.bytes(openHowBytes(OpenFlag.O_PATH | OpenFlag.O_CLOEXEC, 0, Resolve.IN_ROOT));
  program.call(
    "openat2",
    [root, program.text(path), how, OPEN_HOW_SIZE],
    { operation: "open", object: `${path} in the root file system` },
    { result: found, ignore: [Errno.ENOENT, Errno.ENOTDIR], onIgnored: absent },
  );
  return found;
}

/**
 * Hides paths: a file behind the host's /dev/null, a directory behind an empty read-only tmpfs. Paths that do not exist
 * are passed over.
 */
export function maskPaths(program: LaunchProgram, root: Slot, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const whatEmpty = { operation: "mount tmpfs for masked paths" };
  const empty = newFilesystem(
    program,
    "tmpfs",
    "tmpfs",
    RDONLY | NOSUID | NODEV | NOEXEC,
    [
      ["size", "0"],
      ["nr_inodes", "1"],
      ["mode", "755"],
    ],
    whatEmpty,
  );
  for (const path of paths) {
    const what = { operation: "mask", object: path };
    const done = program.label();
    const target = openIfThere(program, root, path, done);
    const close = program.label();
    const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    const nothing = cloneTree(program, "/dev/null", false, what);
    const noPath = program.text("");
    // A file cannot be mounted on a directory: ENOTDIR says which of the two the path is.
    program.call("move_mount", [nothing, noPath, target, noPath, flags], what, {
      ignore: [Errno.ENOTDIR],
      onSuccess: close,
    });
    const directory = cloneTree(program, empty, false, what);
    program.call("move_mount", [directory, noPath, target, noPath, flags], what);
    closeSlot(program, directory);
    program.place(close);
    closeSlot(program, nothing);
    closeSlot(program, target);
    program.place(done);
  }
  closeSlot(program, empty);
}

/** Makes paths, with all that is mounted below them, read-only; those that do not exist are passed over. */
export function makePathsReadOnly(program: LaunchProgram, root: Slot, paths: readonly string[]): void {
  for (const path of paths) {
    const what = { operation: "make read-only", object: path };
    const done = program.label();
    const target = openIfThere(program, root, path, done);
    const tree = cloneTree(program, target, true, what);
    setAttributes(program, tree, { set: RDONLY }, true, what);
    attach(program, tree, target, what);
    program.place(done);
  }
}
