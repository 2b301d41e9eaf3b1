/** Operations on files that several steps of a container's creation share. */

import type { OperationDescription } from "../../launch/failure.ts";
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { AT_FDCWD, OPEN_HOW_SIZE, OpenFlag, openHowBytes, Resolve } from "../../sys/open.ts";

const { O_CLOEXEC, O_CREAT, O_PATH, O_WRONLY, O_DIRECTORY, O_NOFOLLOW } = OpenFlag;

/** Opens a directory as a place to resolve names from. */
export function openDirectory(program: LaunchProgram, path: string, name: string): Slot {
  const directory = program.slot(name);
  program.call(
    "openat",
    [AT_FDCWD, program.text(path), O_PATH | O_DIRECTORY | O_CLOEXEC],
    { operation: "open", object: path },
    { result: directory },
  );
  return directory;
}

/** Closes a descriptor that the program holds and gives its slot back. */
export function closeSlot(program: LaunchProgram, descriptor: Slot): void {
  program.call("close", [descriptor], { operation: "close a file descriptor" });
  program.release(descriptor);
}

/**
 * Writes `text` to a file, in one write as files of /proc want it.
 * @param directory where the relative `path` starts
 * @param ignore errors of opening that skip the write
 */
export function writeFile(
  program: LaunchProgram,
  directory: Slot | number,
  path: string,
  text: string,
  what: OperationDescription,
  ignore: readonly number[] = [],
): void {
  const done = program.label();
  const file = program.slot(path);
  program.call(
    "openat",
    [directory, program.text(path), O_WRONLY | O_CLOEXEC | O_NOFOLLOW],
    what,
    ignore.length === 0 ? { result: file } : { result: file, ignore, onIgnored: done },
  );
  program.call("write", [file, program.text(text), Buffer.byteLength(text)], what);
  closeSlot(program, file);
  program.place(done);
}

/** The paths that lead to `path`, outermost first, without the root and without `path` itself. */
function parents(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.slice(0, -1).map((_, index) => names.slice(0, index + 1).join("/"));
}

/**
 * Opens (O_PATH) a path inside the container's root file system, and makes it, with its parents, when it is missing.
 * Every symbolic link on the way is resolved as if the container's root were "/", so an image cannot point outside.
 * @param root the container's root directory
 * @param path absolute inside the container
 * @param kind what to make when there is nothing
 * @returns the slot with the descriptor; the caller closes it
 */
export function openOrMake(
  program: LaunchProgram,
  root: Slot,
  path: string,
  kind: "directory" | "file",
  mode = kind === "directory" ? 0o755 : 0o644,
): Slot {
  const target = program.slot(`target ${path}`);
  const ready = program.label();
  const how = program.bytes(openHowBytes(O_PATH | O_CLOEXEC, 0, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS));
  const openPath = (at: string, result: Slot, onSuccess = program.label()) => {
    program.call(
      "openat2",
      [root, program.text(at), how, OPEN_HOW_SIZE],
      { operation: "open", object: `${at} in the root file system` },
      { result, ignore: [Errno.ENOENT], onSuccess },
    );
    return onSuccess;
  };
  openPath(path === "/" ? "." : path, target, ready);

  const names = path.split("/").filter((name) => name !== "");
  const directories = kind === "directory" ? [...parents(path), names.join("/")] : parents(path);
  let parent = root;
  for (const directory of directories) {
    const opened = program.slot(directory);
    const exists = openPath(directory, opened);
    const name = directory.slice(directory.lastIndexOf("/") + 1);
    const what = { operation: "make directory", object: `/${directory} in the root file system` };
    program.call("mkdirat", [parent, program.text(name), mode], what, { ignore: [Errno.EEXIST] });
    program.call("openat2", [root, program.text(directory), how, OPEN_HOW_SIZE], what, { result: opened });
    program.place(exists);
    if (parent !== root) closeSlot(program, parent);
    parent = opened;
  }
  if (parent !== root) closeSlot(program, parent);
  if (kind === "file") {
    const create = program.bytes(openHowBytes(O_CREAT | O_WRONLY | O_CLOEXEC, mode, Resolve.IN_ROOT));
    const created = program.slot(`new ${path}`);
    const what = { operation: "make file", object: `${path} in the root file system` };
    program.call("openat2", [root, program.text(path), create, OPEN_HOW_SIZE], what, { result: created });
    closeSlot(program, created);
  }
  program.call(
    "openat2",
    [root, program.text(path), how, OPEN_HOW_SIZE],
    { operation: "open", object: `${path} in the root file system` },
    { result: target },
  );
  program.place(ready);
  return target;
}
