/*
 * Files by their names, for what every start or every supervisor does.
 *
 * Loading `node:fs` takes two milliseconds of a start, and half a megabyte of the memory of a process that stays; the
 * kernel's calls through file.ts take nothing that is not loaded already. Names are text, taken as UTF-8, as in `node:fs`.
 * A refusal of the kernel is a BunkerError `system_call_failed` with its errno, which `errnoOf` knows as well.
 */
import { decodeText, encodeText } from "./byte-string.ts";
import { nextEntries } from "./directory-entries.ts";
import { Errno } from "./errno.ts";
import { BunkerError } from "./error.ts";
import {
  accessAt,
  changeMode,
  changeModeAt,
  linkAt,
  makeDirectoryAt,
  openAt,
  renameAt,
  statusOf,
  statusThroughLinks,
} from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { AT_FDCWD, OpenFlag } from "./open.ts";
import { FileMode, type FileStatus, isType } from "./stat.ts";
import { check, mapMemory, SystemCall, systemCall } from "./system-call.ts";
import { decodeUtf8, encodeUtf8, encodeUtf8Into } from "./utf8.ts";
import { writeAll } from "./write-all.ts";

const BUFFER_SIZE = 1 << 14;
const F_OK = 0;
const W_OK = 2;

let allocated: Memory | undefined;

/**
 * Opens a file, or repeats that when a signal interrupts it; open(2). The descriptor is not inherited.
 * @param flags bits of `OpenFlag`
 * @param mode permissions of a file that is made, less the umask
 * @throws BunkerError `system_call_failed`
 */
export function openFile(path: string, flags: number, mode = 0): FileDescriptor {
  const name = encodeText(path);
  for (;;) {
    const result = openAt(AT_FDCWD, name, flags | OpenFlag.O_CLOEXEC, mode);
    if (result !== -Errno.EINTR) return new FileDescriptor(check(result, "open", path));
  }
}

/**
 * The whole text of a small file, UTF-8.
 * @throws BunkerError `system_call_failed`
 */
export function readText(path: string): string {
  using file = openFile(path, OpenFlag.O_RDONLY);
  return readOpenText(file.number, path);
}

/**
 * The text of an open file from its position to its end, UTF-8.
 * @param path for the error's message
 * @throws BunkerError `system_call_failed`
 */
export function readOpenText(file: number, path: string): string {
  allocated ??= allocate(BUFFER_SIZE);
  const { address, bytes } = allocated;
  const parts: Uint8Array[] = [];
  for (let filled = 0; ; ) {
    const length = systemCall(SystemCall.read, file, address + filled, BUFFER_SIZE - filled);
    if (length === -Errno.EINTR) continue;
    filled += check(length, "read", path);
    if (length === 0)
      return parts.length === 0 ? decodeUtf8(address, filled) : textOf([...parts, bytes.slice(0, filled)]);
    if (filled < BUFFER_SIZE) continue;
    parts.push(bytes.slice());
    filled = 0;
  }
}

/** A function of its own, because most texts fit into the memory that they are read into; see utf8.ts. */
function textOf(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("utf8");
}

/**
 * Writes a text into a file that is there, in one call if it is short, as the kernel's own files want it. What a file of
 * the disk had before is gone.
 * @throws BunkerError `system_call_failed`
 */
export function writeText(path: string, text: string): void {
  using file = openFile(path, OpenFlag.O_WRONLY | OpenFlag.O_TRUNC);
  writeOpenText(file.number, path, text);
}

/**
 * Makes a file with a text, UTF-8; one that is there has nothing else in it then.
 * @param mode permissions of a file that is made, less the umask
 * @throws BunkerError `system_call_failed`
 */
export function putText(path: string, text: string, mode = 0o666): void {
  using file = openFile(path, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_TRUNC, mode);
  writeOpenText(file.number, path, text);
}

/**
 * The same for a file that others than the caller are to read, such as a container's users: whatever the umask.
 * @param mode exactly its permissions
 * @throws BunkerError `system_call_failed`
 */
export function putSharedText(path: string, text: string, mode: number): void {
  using file = openFile(path, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_TRUNC, mode);
  check(changeMode(file.number, mode), "change the mode of", path);
  writeOpenText(file.number, path, text);
}

/**
 * Writes a text, UTF-8, to an open file's position, in one call unless the kernel takes only a part.
 * @param path for the error's message
 * @throws BunkerError `system_call_failed`
 */
export function writeOpenText(file: number, path: string, text: string): void {
  check(writeTextTo(file, text), "write", path);
}

/**
 * The same to any descriptor; waits where it takes no more at the moment.
 * @returns 0, or the negated error number
 */
export function writeTextTo(descriptor: number, text: string): number {
  allocated ??= allocate(BUFFER_SIZE);
  const length = encodeUtf8Into(text, allocated.bytes);
  if (length !== undefined) return writeAll(descriptor, allocated.address, length);
  const bytes = encodeUtf8(text);
  using mapped = mapMemory(bytes.length, "private");
  mapped.bytes.set(bytes);
  return writeAll(descriptor, mapped.address, bytes.length);
}

/**
 * The names in a directory, in no order, without `.` and `..`.
 * @throws BunkerError `system_call_failed`
 */
export function directoryNames(path: string): string[] {
  using directory = openFile(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
  const names: string[] = [];
  // In batches, because a process's first generator takes 0.2 ms.
  for (let batch = nextEntries(directory.number); batch.length > 0; batch = nextEntries(directory.number)) {
    for (const { name } of batch) names.push(decodeText(name));
  }
  return names;
}

/**
 * The status of what a name leads to, through symbolic links; stat(2).
 * @returns undefined when there is nothing
 * @throws BunkerError `system_call_failed` for any other refusal
 */
export function statusIfThere(path: string): FileStatus | undefined {
  const status = statusThroughLinks(AT_FDCWD, encodeText(path));
  if (status === -Errno.ENOENT) return undefined;
  return typeof status === "number" ? refuse(status, "look at", path) : status;
}

/**
 * The status of an open file; fstat(2).
 * @param path for the error's message
 * @throws BunkerError `system_call_failed`
 */
export function statusOfOpen(file: number, path: string): FileStatus {
  const status = statusOf(file);
  return typeof status === "number" ? refuse(status, "look at", path) : status;
}

/** Whether a name leads to something, through symbolic links, that this process can get to. */
export function exists(path: string): boolean {
  return accessAt(AT_FDCWD, encodeText(path), F_OK) === 0;
}

/**
 * Makes a directory that is not there yet.
 * @param mode permissions, less the umask
 * @throws BunkerError `system_call_failed`
 */
export function makeDirectory(path: string, mode = 0o777): void {
  check(makeDirectoryAt(AT_FDCWD, encodeText(path), mode), "make directory", path);
}

/**
 * The same for a directory that others than the caller are to see, such as a container's users: whatever the umask.
 * @param mode exactly its permissions
 * @throws BunkerError `system_call_failed`
 */
export function makeSharedDirectory(path: string, mode: number): void {
  makeDirectory(path, mode);
  check(changeModeAt(AT_FDCWD, encodeText(path), mode), "change the mode of", path);
}

/**
 * Makes a directory, and those above it that are missing. Nothing happens when it is there.
 * @param mode permissions, less the umask
 * @throws BunkerError `system_call_failed`: EEXIST when something else has its name
 */
export function makeDirectories(path: string, mode: number): void {
  const name = encodeText(path);
  let result = makeDirectoryAt(AT_FDCWD, name, mode);
  const above = path.slice(0, path.lastIndexOf("/"));
  if (result === -Errno.ENOENT && above !== "") {
    makeDirectories(above, mode);
    result = makeDirectoryAt(AT_FDCWD, name, mode);
  }
  if (result === -Errno.EEXIST) {
    const status = statusIfThere(path);
    if (status !== undefined && isType(status, FileMode.directory)) return;
  }
  check(result, "make directory", path);
}

/**
 * Gives a file another name, and replaces what has that; rename(2).
 * @throws BunkerError `system_call_failed`
 */
export function renameFile(path: string, newPath: string): void {
  check(renameAt(AT_FDCWD, encodeText(path), AT_FDCWD, encodeText(newPath)), "rename", path);
}

/**
 * Gives a file another name besides, which nothing may have yet; link(2).
 * @throws BunkerError `system_call_failed`
 */
export function linkFile(path: string, newPath: string): void {
  check(linkAt(AT_FDCWD, encodeText(path), AT_FDCWD, encodeText(newPath)), "link", newPath);
}

/**
 * Whether this process may write to what is there: its permissions, and those of its file system; faccessat(2).
 * @throws BunkerError `system_call_failed` for any other refusal
 */
export function canWrite(path: string): boolean {
  const result = accessAt(AT_FDCWD, encodeText(path), W_OK);
  if (result === -Errno.EROFS || result === -Errno.EACCES || result === -Errno.EPERM) return false;
  check(result, "look at", path);
  return true;
}

function refuse(result: number, operation: string, path: string): never {
  throw new BunkerError({ code: "system_call_failed", operation, object: path, errno: -result });
}
