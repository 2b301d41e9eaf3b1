/** Operations on files that several steps of a container's creation share. */

import type { OperationDescription } from "../../launch/failure.ts";
import type { Slot } from "../../launch/operation.ts";
import type { Label } from "../../launch/operation-table.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { AT_FDCWD, OPEN_HOW_SIZE, OpenFlag, openHowBytes, Resolve } from "../../sys/open.ts";

const { O_CLOEXEC, O_PATH, O_WRONLY, O_DIRECTORY, O_NOFOLLOW } = OpenFlag;

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

/**
 * Opens a path inside the container's root file system. Every symbolic link on the way is resolved as if the
 * container's root were "/", so an image cannot point outside; openat2(2).
 * @param path absolute inside the container, or relative to its root; or the slot with such a text's address, and then
 * `what` has to be given
 * @param options with `ifThere`: where to go when it is open; the following operation is then executed when there is no
 * such path (ENOENT), which is an error otherwise
 * @returns the slot with the descriptor; the caller closes it
 */
export function openInRoot(
  program: LaunchProgram,
  root: Slot,
  path: string | Slot,
  options: {
    readonly flags?: number;
    readonly mode?: number;
    readonly result?: Slot;
    readonly ifThere?: Label;
    readonly what?: OperationDescription;
  } = {},
): Slot {
  const { flags = O_PATH, mode = 0, ifThere, result = program.slot("opened") } = options;
  const what = options.what ?? { operation: "open in the root file system", object: String(path) };
  const how = howInRoot(program, flags, mode);
  const name = typeof path === "string" ? program.text(path === "/" ? "." : path) : path;
  const args = [root, name, how, OPEN_HOW_SIZE];
  const again = program.label("open again");
  program.place(again);
  // EAGAIN: something was renamed or mounted elsewhere while ".." was resolved, and the kernel could not rule out an
  // escape.
  if (ifThere === undefined) {
    program.call("openat2", args, what, { result, ignore: [Errno.EAGAIN], onIgnored: again });
  } else {
    program.call("openat2", args, what, { result, ignore: [Errno.ENOENT, Errno.EAGAIN], onSuccess: ifThere });
    program.branch(result, "equal", -Errno.EAGAIN, again);
  }
  return result;
}

/** The structures for openat2 that a program holds already, by their flags and mode. */
const howAddresses = new WeakMap<LaunchProgram, Map<string, number>>();

/** The address of the structure that makes openat2 take the directory it starts from for "/"; flags and mode as open's. */
export function howInRoot(program: LaunchProgram, flags: number, mode: number): number {
  const known = howAddresses.get(program) ?? new Map<string, number>();
  howAddresses.set(program, known);
  const key = `${flags} ${mode}`;
  const address =
    known.get(key) ?? program.bytes(openHowBytes(flags | O_CLOEXEC, mode, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS));
  known.set(key, address);
  return address;
}
