/*
 * `struct statx`: the one form of stat(2) whose layout is the same on every architecture. It is read here and nowhere
 * else.
 */
import { allocate, type Memory } from "./memory.ts";

/** Bits of a file's mode; inode(7). */
export const FileMode = {
  /** Mask of the file type. */
  type: 0o170000,
  socket: 0o140000,
  symbolicLink: 0o120000,
  regular: 0o100000,
  blockDevice: 0o060000,
  directory: 0o040000,
  characterDevice: 0o020000,
  fifo: 0o010000,
  /** Mask of everything chmod(2) can set. */
  permissions: 0o7777,
  setUserId: 0o4000,
  setGroupId: 0o2000,
} as const;

/** A point in time: whole seconds since 1970, which may be negative, and nanoseconds from 0 to 999 999 999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What statx(2) tells about a file. */
export interface FileStatus {
  /** The number of the device that its file system is on. */
  readonly fileSystem: number;
  /** Which file of its file system it is: two names with the same inode are hard links. */
  readonly inode: number;
  /** Type and permissions, to be taken apart with `FileMode`. */
  readonly mode: number;
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks: number;
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  /** When content, owner, mode or attributes were last changed: the one time that nobody can set. */
  readonly changed: Timestamp;
  /** The device that a device node stands for. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Bytes of `struct statx`. */
export const STATUS_SIZE = 256;
const TWO_TO_THE_32 = 2 ** 32;
const NLINK = 16;
/** Where the owner lies in it, 32-bit numbers. */
export const STATUS_UID = 20;
export const STATUS_GID = 24;
const MODE = 28;
const INODE = 32;
const FILE_SIZE = 40;
const BLOCKS = 48;
const ATIME = 64;
const CTIME = 96;
const MTIME = 112;
const RDEV_MAJOR = 128;
const RDEV_MINOR = 132;
const DEV_MAJOR = 136;
const DEV_MINOR = 140;

/** The number of a device as the calls of the kernel take it: minor bits 0 to 7, major 12 bits, the rest of minor. */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The parts of a device number as stat(2) of the C library packs them, and Node with it; makedev(3). */
export function deviceNumbers(device: number): { readonly major: number; readonly minor: number } {
  const number = BigInt(device);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & ~0xffn & 0xffff_ffffn)),
  };
}

/** Allocates memory for one `struct statx`. */
export function allocateStatus(): Memory {
  return allocate(STATUS_SIZE);
}

/**
 * Reads the `struct statx` that the kernel has written to `memory`. Each command does so some dozen times before the
 * compiler knows it: it reads whole words, as a DataView's method is called for each value and takes ten times as long then.
 */
export function readStatus({ view }: Memory): FileStatus {
  const words = new Uint32Array(view.buffer, view.byteOffset, STATUS_SIZE / 4);
  return {
    fileSystem: deviceNumber(words[DEV_MAJOR / 4] ?? 0, words[DEV_MINOR / 4] ?? 0),
    inode: (words[INODE / 4] ?? 0) + (words[INODE / 4 + 1] ?? 0) * TWO_TO_THE_32,
    mode: (words[MODE / 4] ?? 0) & 0xffff,
    linkCount: words[NLINK / 4] ?? 0,
    uid: words[STATUS_UID / 4] ?? 0,
    gid: words[STATUS_GID / 4] ?? 0,
    size: (words[FILE_SIZE / 4] ?? 0) + (words[FILE_SIZE / 4 + 1] ?? 0) * TWO_TO_THE_32,
    blocks: (words[BLOCKS / 4] ?? 0) + (words[BLOCKS / 4 + 1] ?? 0) * TWO_TO_THE_32,
    accessed: readTimestamp(words, ATIME / 4),
    modified: readTimestamp(words, MTIME / 4),
    changed: readTimestamp(words, CTIME / 4),
    deviceMajor: words[RDEV_MAJOR / 4] ?? 0,
    deviceMinor: words[RDEV_MINOR / 4] ?? 0,
  };
}

/** Whether a status is that of a file of the given type, such as `FileMode.directory`. */
export function isType(status: FileStatus, type: number): boolean {
  return (status.mode & FileMode.type) === type;
}

function readTimestamp(words: Uint32Array, start: number): Timestamp {
  return {
    // Signed: files may be older than 1970.
    seconds: (words[start] ?? 0) + ((words[start + 1] ?? 0) | 0) * TWO_TO_THE_32,
    nanoseconds: words[start + 2] ?? 0,
  };
}

/** Whether two files have the same type, permissions and owner. */
export function hasSameOwnerAndMode(one: FileStatus, other: FileStatus): boolean {
  return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}
