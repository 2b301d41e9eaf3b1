/** mount(2), umount2(2), mount_setattr(2), open_tree(2), fsopen(2), fsconfig(2), fsmount(2) and move_mount(2). */
import { encodeText } from "./byte-string.ts";
import { allocate } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** Flags of mount(2). */
export const MountFlag = {
  MS_RDONLY: 1,
  MS_NOSUID: 1 << 1,
  MS_NODEV: 1 << 2,
  MS_NOEXEC: 1 << 3,
  MS_SYNCHRONOUS: 1 << 4,
  MS_MOVE: 1 << 13,
  MS_REC: 1 << 14,
  MS_UNBINDABLE: 1 << 17,
  MS_PRIVATE: 1 << 18,
  MS_SLAVE: 1 << 19,
  MS_SHARED: 1 << 20,
} as const;

/** Mount attributes of fsmount(2) and mount_setattr(2). */
export const MountAttribute = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  /** The field of three access time attributes; it has to be cleared as a whole before one of them is set. */
  ATIME_FIELD: 0x70,
  RELATIME: 0x0,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const;

/** Flag of umount2(2): out of sight at once, and gone when nobody uses it any more. */
export const MNT_DETACH = 2;

/** umount2(2) of what was mounted on a path last: 0, or the negated error number. */
export function unmount(path: string, flags: number): number {
  const name = `${encodeText(path)}\0`;
  const memory = allocate(name.length);
  memory.buffer.write(name, "latin1");
  return systemCall(SystemCall.umount2, memory.address, flags);
}

export const OPEN_TREE_CLONE = 1;
export const OPEN_TREE_CLOEXEC = 0o2000000;

export const FSOPEN_CLOEXEC = 1;
export const FSPICK_CLOEXEC = 1;
export const FSPICK_EMPTY_PATH = 8;
export const FSMOUNT_CLOEXEC = 1;

/** Commands of fsconfig(2). */
export const FsConfig = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6, CMD_RECONFIGURE: 7 } as const;

export const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

/** struct mount_attr of mount_setattr(2). */
export interface MountAttributes {
  readonly set?: number;
  readonly clear?: number;
  /** One of MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE. */
  readonly propagation?: number;
  /** A user namespace file descriptor, with `MountAttribute.IDMAP` set. */
  readonly userNamespace?: number;
}

/** The bytes of struct mount_attr. */
export function mountAttributesBytes(attributes: MountAttributes): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(32));
  bytes.writeBigUInt64LE(BigInt(attributes.set ?? 0), 0);
  bytes.writeBigUInt64LE(BigInt(attributes.clear ?? 0), 8);
  bytes.writeBigUInt64LE(BigInt(attributes.propagation ?? 0), 16);
  bytes.writeBigUInt64LE(BigInt(attributes.userNamespace ?? 0), 24);
  return bytes;
}
