/** Flags of open(2) and openat2(2) and the layout of struct open_how; the same numbers on all architectures but where noted. */
import { setInteger64 } from "./integer64.ts";

export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_RECURSIVE = 0x8000;

const arm64 = process.arch === "arm64";

export const OpenFlag = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DIRECTORY: arm64 ? 0o40000 : 0o200000,
  O_NOFOLLOW: arm64 ? 0o100000 : 0o400000,
  O_CLOEXEC: 0o2000000,
  O_PATH: 0o10000000,
  /** Of a directory: a file in it without a name. */
  O_TMPFILE: 0o20000000 | (arm64 ? 0o40000 : 0o200000),
} as const;

/** How openat2(2) resolves a path. */
export const Resolve = {
  /** No mount point is crossed. */
  NO_XDEV: 0x01,
  NO_MAGICLINKS: 0x02,
  /** No symbolic link is followed anywhere on the way. */
  NO_SYMLINKS: 0x04,
  /** The path must not lead out of the directory descriptor. */
  BENEATH: 0x08,
  /** The directory descriptor is the root for absolute paths, `..` and symbolic links. */
  IN_ROOT: 0x10,
} as const;

export const OPEN_HOW_SIZE = 24;

/** The bytes of struct open_how. */
export function openHowBytes(flags: number, mode: number, resolve: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(OPEN_HOW_SIZE));
  setInteger64(view, 0, flags);
  setInteger64(view, 8, mode);
  setInteger64(view, 16, resolve);
  return new Uint8Array(view.buffer);
}
