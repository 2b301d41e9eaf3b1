/*
 * System calls on files, relative to an open directory.
 *
 * Each function is one system call and returns the kernel's result as `systemCall` does: negative is the negated
 * error number, to be handled or given to `check`. Names are byte strings, since Linux keeps names as arbitrary bytes.
 * `directory` is an open descriptor (O_PATH will do) or `AT_FDCWD`. A name that the kernel could not have
 * been given whole is answered as the kernel answers such names: EINVAL for one with a NUL byte, which would be cut
 * there, and ENAMETOOLONG for one beyond PATH_MAX.
 *
 * The arguments lie in two path buffers and one scratch buffer made at first use: calls are synchronous, so that one
 * set is enough.
 */
import { type ByteString, byteStringAt } from "./byte-string.ts";
import { Errno } from "./errno.ts";
import { setInteger64 } from "./integer64.ts";
import { allocate, type Memory } from "./memory.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  OPEN_HOW_SIZE,
} from "./open.ts";
import { allocateStatus, deviceNumber, type FileStatus, readStatus, type Timestamp } from "./stat.ts";
import { mapMemory, SystemCall, systemCall } from "./system-call.ts";

const STATX_BASIC_STATS = 0x7ff;
/** Bytes of the longest path that the kernel takes, with the NUL at its end. */
export const PATH_MAX = 4096;
const XATTR_SIZE_MAX = 65536;
const SCRATCH_SIZE = 32;

interface Arguments {
  readonly first: Memory;
  readonly second: Memory;
  readonly scratch: Memory;
  readonly status: Memory;
  readonly value: Memory;
}

let allocated: Arguments | undefined;

function buffers(): Arguments {
  allocated ??= argumentsMemory();
  return allocated;
}

/** Each is there when it is first asked for: most processes handle no attributes, and brief ones hardly more than a name. */
function argumentsMemory(): Arguments {
  const made: { -readonly [Name in keyof Arguments]?: Arguments[Name] } = {};
  return {
    get first() {
      made.first ??= allocate(PATH_MAX);
      return made.first;
    },
    get second() {
      made.second ??= allocate(PATH_MAX);
      return made.second;
    },
    get scratch() {
      made.scratch ??= allocate(SCRATCH_SIZE);
      return made.scratch;
    },
    get status() {
      made.status ??= allocateStatus();
      return made.status;
    },
    get value() {
      made.value ??= mapMemory(XATTR_SIZE_MAX, "private");
      return made.value;
    },
  };
}

/** Writes a NUL-terminated name; returns 0, or the negated error number that the kernel would answer with. */
function putName({ bytes }: Memory, name: ByteString): number {
  if (name.length >= PATH_MAX) return -Errno.ENAMETOOLONG;
  for (let index = 0; index < name.length; index++) {
    const byte = name.charCodeAt(index);
    if (byte === 0) return -Errno.EINVAL;
    bytes[index] = byte;
  }
  bytes[name.length] = 0;
  return 0;
}

/** openat(2). Interrupted opens are not repeated. */
export function openAt(directory: number, name: ByteString, flags: number, mode = 0): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.openat, directory, first.address, flags, mode);
}

/**
 * openat2(2).
 * @param resolve bits of `Resolve`
 */
export function openAt2(directory: number, name: ByteString, flags: number, resolve: number, mode = 0): number {
  const { first, scratch } = buffers();
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  setInteger64(scratch.view, 0, flags);
  setInteger64(scratch.view, 8, mode);
  setInteger64(scratch.view, 16, resolve);
  for (;;) {
    const result = systemCall(SystemCall.openat2, directory, first.address, scratch.address, OPEN_HOW_SIZE);
    // The kernel gives up a scoped resolution when something is renamed anywhere meanwhile: EAGAIN asks to repeat.
    if (result !== -Errno.EAGAIN) return result;
  }
}

/** mkdirat(2). The process's umask applies. */
export function makeDirectoryAt(directory: number, name: ByteString, mode: number): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.mkdirat, directory, first.address, mode);
}

/**
 * mknodat(2).
 * @param mode type and permissions
 * @param major and `minor`: of a device node; else ignored
 */
export function makeNodeAt(directory: number, name: ByteString, mode: number, major = 0, minor = 0): number {
  const { first } = buffers();
  const device = deviceNumber(major, minor);
  return putName(first, name) || systemCall(SystemCall.mknodat, directory, first.address, mode, device);
}

/** linkat(2) without following a symbolic link at `target`. */
export function linkAt(targetDirectory: number, target: ByteString, directory: number, name: ByteString): number {
  const { first, second } = buffers();
  return (
    putName(first, target) ||
    putName(second, name) ||
    systemCall(SystemCall.linkat, targetDirectory, first.address, directory, second.address, 0)
  );
}

/** Gives a file that has no name yet (O_TMPFILE) one; linkat(2). */
export function linkDescriptorAt(file: number, directory: number, name: ByteString): number {
  const { first, second } = buffers();
  return (
    putName(first, `/proc/self/fd/${file}` as ByteString) ||
    putName(second, name) ||
    systemCall(SystemCall.linkat, AT_FDCWD, first.address, directory, second.address, AT_SYMLINK_FOLLOW)
  );
}

/** symlinkat(2). */
export function makeSymbolicLinkAt(target: ByteString, directory: number, name: ByteString): number {
  const { first, second } = buffers();
  return (
    putName(first, target) ||
    putName(second, name) ||
    systemCall(SystemCall.symlinkat, first.address, directory, second.address)
  );
}

/** unlinkat(2) of anything but a directory. */
export function unlinkAt(directory: number, name: ByteString): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.unlinkat, directory, first.address, 0);
}

/** unlinkat(2) of an empty directory. */
export function removeDirectoryAt(directory: number, name: ByteString): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.unlinkat, directory, first.address, AT_REMOVEDIR);
}

/** renameat2(2) without flags: replaces what is at the new name. */
export function renameAt(directory: number, name: ByteString, newDirectory: number, newName: ByteString): number {
  const { first, second } = buffers();
  return (
    putName(first, name) ||
    putName(second, newName) ||
    systemCall(SystemCall.renameat2, directory, first.address, newDirectory, second.address, 0)
  );
}

/** renameat2(2) that exchanges what two paths name, at once; each may be a file of any kind. */
export function exchange(one: ByteString, other: ByteString): number {
  const { first, second } = buffers();
  return (
    putName(first, one) ||
    putName(second, other) ||
    systemCall(SystemCall.renameat2, AT_FDCWD, first.address, AT_FDCWD, second.address, RENAME_EXCHANGE)
  );
}

/**
 * faccessat(2): whether the real user may do something with a file.
 * @param mode bits as R_OK, W_OK and X_OK of access(2)
 */
export function accessAt(directory: number, name: ByteString, mode: number): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.faccessat, directory, first.address, mode);
}

/** fchownat(2) without following a symbolic link. */
export function changeOwnerAt(directory: number, name: ByteString, uid: number, gid: number): number {
  const { first } = buffers();
  return (
    putName(first, name) || systemCall(SystemCall.fchownat, directory, first.address, uid, gid, AT_SYMLINK_NOFOLLOW)
  );
}

/** fchown(2). */
export function changeOwner(file: number, uid: number, gid: number): number {
  return systemCall(SystemCall.fchown, file, uid, gid);
}

/** fchmodat(2), through a symbolic link. */
export function changeModeAt(directory: number, name: ByteString, mode: number): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.fchmodat, directory, first.address, mode);
}

/** chmod(2) through /proc/self/fd of a file that may be open with O_PATH only. */
export function changeModeThroughProc(file: number, mode: number): number {
  return changeModeAt(AT_FDCWD, `/proc/self/fd/${file}` as ByteString, mode);
}

/** fchmod(2). */
export function changeMode(file: number, mode: number): number {
  return systemCall(SystemCall.fchmod, file, mode);
}

/** utimensat(2) without following a symbolic link. */
export function setTimesAt(directory: number, name: ByteString, accessed: Timestamp, modified: Timestamp): number {
  const { first, scratch } = buffers();
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  putTimes(scratch, accessed, modified);
  return systemCall(SystemCall.utimensat, directory, first.address, scratch.address, AT_SYMLINK_NOFOLLOW);
}

/** futimens(3). */
export function setTimes(file: number, accessed: Timestamp, modified: Timestamp): number {
  const { scratch } = buffers();
  putTimes(scratch, accessed, modified);
  return systemCall(SystemCall.utimensat, file, 0, scratch.address, 0);
}

function putTimes({ view }: Memory, accessed: Timestamp, modified: Timestamp): void {
  putTimestamp(view, 0, accessed);
  putTimestamp(view, 16, modified);
}

function putTimestamp(view: DataView, offset: number, { seconds, nanoseconds }: Timestamp): void {
  setInteger64(view, offset, seconds);
  setInteger64(view, offset + 8, nanoseconds);
}

/**
 * fsetxattr(2). E2BIG for a value beyond 64 KiB, as from the kernel.
 * @param file not opened with O_PATH
 */
export function setAttribute(file: number, name: ByteString, value: ByteString): number {
  const { first, value: memory } = buffers();
  if (value.length > XATTR_SIZE_MAX) return -Errno.E2BIG;
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  memory.buffer.write(value, 0, "latin1");
  return systemCall(SystemCall.fsetxattr, file, first.address, memory.address, value.length, 0);
}

/**
 * lsetxattr(2) on a name in an open directory, which the kernel has no call for before Linux 6.13: the path goes
 * through /proc/self/fd, so /proc must be there. A symbolic link at `name` is not followed.
 */
export function setAttributeAt(directory: number, name: ByteString, attribute: ByteString, value: ByteString): number {
  const { first, second, value: memory } = buffers();
  if (value.length > XATTR_SIZE_MAX) return -Errno.E2BIG;
  const invalid = putName(first, attribute) || putName(second, `/proc/self/fd/${directory}/${name}` as ByteString);
  if (invalid !== 0) return invalid;
  memory.buffer.write(value, 0, "latin1");
  return systemCall(SystemCall.lsetxattr, second.address, first.address, memory.address, value.length, 0);
}

/** fremovexattr(2). */
export function removeAttribute(file: number, name: ByteString): number {
  const { first } = buffers();
  return putName(first, name) || systemCall(SystemCall.fremovexattr, file, first.address);
}

/**
 * fgetxattr(2).
 * @param file not opened with O_PATH
 * @returns the value, or the negated error number: ENODATA when there is no such attribute
 */
export function getAttribute(file: number, name: ByteString): ByteString | number {
  const { first, value: memory } = buffers();
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  const length = systemCall(SystemCall.fgetxattr, file, first.address, memory.address, XATTR_SIZE_MAX);
  return length < 0 ? length : (memory.buffer.toString("latin1", 0, length) as ByteString);
}

/** flistxattr(2): the names of a file's extended attributes, or the negated error number. */
export function listAttributes(file: number): ByteString[] | number {
  const { value: memory } = buffers();
  const length = systemCall(SystemCall.flistxattr, file, memory.address, XATTR_SIZE_MAX);
  if (length < 0) return length;
  return memory.buffer.toString("latin1", 0, length).split("\0").slice(0, -1) as ByteString[];
}

/** The names of the extended attributes of a name in an open directory, as `setAttributeAt` finds it; llistxattr(2). */
export function listAttributesAt(directory: number, name: ByteString): ByteString[] | number {
  const { second, value: memory } = buffers();
  const invalid = putName(second, `/proc/self/fd/${directory}/${name}` as ByteString);
  if (invalid !== 0) return invalid;
  const length = systemCall(SystemCall.llistxattr, second.address, memory.address, XATTR_SIZE_MAX);
  if (length < 0) return length;
  return memory.buffer.toString("latin1", 0, length).split("\0").slice(0, -1) as ByteString[];
}

/** One of those attributes; lgetxattr(2). The value, or the negated error number. */
export function getAttributeAt(directory: number, name: ByteString, attribute: ByteString): ByteString | number {
  const { first, second, value: memory } = buffers();
  const invalid = putName(first, attribute) || putName(second, `/proc/self/fd/${directory}/${name}` as ByteString);
  if (invalid !== 0) return invalid;
  const length = systemCall(SystemCall.lgetxattr, second.address, first.address, memory.address, XATTR_SIZE_MAX);
  return length < 0 ? length : (memory.buffer.toString("latin1", 0, length) as ByteString);
}

/** readlinkat(2): the target of a symbolic link, or the negated error number. */
export function readLinkAt(directory: number, name: ByteString): ByteString | number {
  const { first, second } = buffers();
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  const length = systemCall(SystemCall.readlinkat, directory, first.address, second.address, PATH_MAX);
  return length < 0 ? length : byteStringAt(second, length);
}

/** Where an open file's next reading or writing begins, which is behind what was appended last; lseek(2). */
export function position(file: number): number {
  return systemCall(SystemCall.lseek, file, 0, SEEK_CUR);
}

const SEEK_CUR = 1;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * Finds where the next part of a file that has data begins, or the next hole; lseek(2). Moves the file's position.
 * @param offset bytes, where to begin to look
 * @returns the place, or the negated error number: ENXIO when there is no more data up to the file's end
 */
export function seek(file: number, what: "data" | "hole", offset: number): number {
  return systemCall(SystemCall.lseek, file, offset, what === "data" ? SEEK_DATA : SEEK_HOLE);
}

/** statx(2) without following a symbolic link: the status, or the negated error number. */
export function statusAt(directory: number, name: ByteString): FileStatus | number {
  return statusWith(AT_SYMLINK_NOFOLLOW | (name === "" ? AT_EMPTY_PATH : 0), directory, name);
}

/** statx(2) of what a name leads to, through symbolic links: the status, or the negated error number. */
export function statusThroughLinks(directory: number, name: ByteString): FileStatus | number {
  return statusWith(0, directory, name);
}

function statusWith(flags: number, directory: number, name: ByteString): FileStatus | number {
  const { first, status } = buffers();
  const invalid = putName(first, name);
  if (invalid !== 0) return invalid;
  const result = systemCall(SystemCall.statx, directory, first.address, flags, STATX_BASIC_STATS, status.address);
  return result < 0 ? result : readStatus(status);
}

/** statx(2) of an open file, O_PATH included: the status, or the negated error number. */
export function statusOf(file: number): FileStatus | number {
  return statusAt(file, "" as ByteString);
}

/** ftruncate(2): makes a file `size` bytes long; what is added reads as zeros and takes no space. */
export function setSize(file: number, size: number): number {
  return systemCall(SystemCall.ftruncate, file, size);
}

/** Of sync_file_range(2): to begin with it. */
export const SYNC_FILE_RANGE_WRITE = 2;

/**
 * sync_file_range(2): has the kernel begin to bring a file's new bytes to its disk, and does not wait for that. Nothing
 * is sure by it, but a `synchronize` or `synchronizeFileSystem` that comes later, and tells of failures, has less to do.
 */
export function beginWriteBack(file: number): void {
  systemCall(SystemCall.sync_file_range, file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/** fsync(2). */
export function synchronize(file: number): number {
  return systemCall(SystemCall.fsync, file);
}

/** syncfs(2): writes the whole file system that `file` lies on to its disk. */
export function synchronizeFileSystem(file: number): number {
  return systemCall(SystemCall.syncfs, file);
}

const RENAME_EXCHANGE = 2;

/** How flock(2) locks. */
export const Lock = { shared: 1, exclusive: 2, release: 8, nonBlocking: 4 } as const;

/**
 * flock(2), repeated when a signal interrupts the waiting.
 * @param operation bits of `Lock`; with `nonBlocking` EAGAIN says that somebody else holds the lock
 */
export function lock(file: number, operation: number): number {
  for (;;) {
    const result = systemCall(SystemCall.flock, file, operation);
    if (result !== -Errno.EINTR) return result;
  }
}

/** umask(2): sets the process's mask of permissions and returns the one before. */
export function setUmask(mask: number): number {
  return systemCall(SystemCall.umask, mask);
}
