import { setInteger64 } from "./integer64.ts";

/** Flags of clone(2), clone3(2), unshare(2) and setns(2) that fit into 32 bits (linux/sched.h). */
export const CloneFlag = {
  /** Only clone3 and unshare know it; in clone's flags the bit belongs to the exit signal. */
  NEWTIME: 0x80,
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  PIDFD: 0x1000,
  PARENT: 0x8000,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const;

/** Set in the high word of clone3's 64-bit flags: CLONE_CLEAR_SIGHAND. */
const CLEAR_SIGNAL_HANDLERS = 2 ** 32;
/** CLONE_INTO_CGROUP. */
const INTO_CGROUP = 2 ** 33;

/** Bytes of `struct clone_args` up to and with the field `cgroup` (CLONE_ARGS_SIZE_VER2). */
export const CLONE_ARGUMENTS_SIZE = 88;

/** What `writeCloneArguments` puts into `struct clone_args`; fields not named here are 0. */
export interface CloneArguments {
  /** Bits of `CloneFlag`. */
  readonly flags: number;
  /** Address of 4 bytes that receive the pidfd; used with CLONE_PIDFD. */
  readonly pidfdAddress: number;
  /** The signal that the parent gets at the child's end; must be 0 with CLONE_PARENT. */
  readonly exitSignal: number;
  /** CLONE_CLEAR_SIGHAND: handled signals get their default action in the child; ignored ones stay ignored. */
  readonly clearSignalHandlers: boolean;
  /** Memory for the child's stack, where it shares the caller's memory and does not have the caller wait for it. */
  readonly stack?: { readonly address: number; readonly size: number } | undefined;
  /** A file descriptor of a cgroup v2 directory that the child starts in. */
  readonly cgroup?: number | undefined;
}

/** Writes `struct clone_args` (linux/sched.h, clone(2)) to the start of `view`. */
export function writeCloneArguments(view: DataView, clone: CloneArguments): void {
  const flags =
    (clone.flags >>> 0) +
    (clone.clearSignalHandlers ? CLEAR_SIGNAL_HANDLERS : 0) +
    (clone.cgroup === undefined ? 0 : INTO_CGROUP);
  const { address: stack, size: stackSize } = clone.stack ?? { address: 0, size: 0 };
  const fields = [flags, clone.pidfdAddress, 0, 0, clone.exitSignal, stack, stackSize, 0, 0, 0, clone.cgroup ?? 0];
  for (const [index, value] of fields.entries()) setInteger64(view, index * 8, value);
}
