import type { Architecture } from "../../sys/architecture.ts";
import { systemCallNumbers } from "../../sys/system-call-number.ts";
import type { SeccompArchitecture } from "./seccomp.ts";
import { armSystemCalls } from "./system-call-numbers/arm.ts";
import { i386SystemCalls } from "./system-call-numbers/i386.ts";
import { x32OwnSystemCalls } from "./system-call-numbers/x32.ts";

/** System call numbers by name. */
type NumberTable = Readonly<Record<string, number>>;

/** A way into the kernel: how a filter recognises its calls and how it numbers them. */
export interface SystemCallInterface {
  readonly name: SeccompArchitecture;
  /** `arch` of struct seccomp_data; an `AUDIT_ARCH_…` of linux/audit.h. x86-64 and x32 share theirs. */
  readonly audit: number;
  /** Added to the numbers: 0, or x32's bit. */
  readonly base: number;
  /** Whether arguments are 32 bits wide. */
  readonly narrow: boolean;
  /** The calls that it numbers in its own way; -1 for those that it does not have. */
  readonly own: NumberTable;
  /** The numbers of the host's native interface. */
  readonly native: NumberTable;
  /** The calls that are not in `own` have their native number if that is not below this one, or do not exist. */
  readonly firstNative: number;
  /** Whether `socketcall` and `ipc` exist; see `multiplexerOf`. */
  readonly multiplexes: boolean;
}

/** Bit 30 of a number says that an x86-64 process calls through the x32 interface. */
export const X32_BIT = 0x4000_0000;

/** From here on, calls are ARM's private ones, which say nothing about how new a kernel is. */
export const FIRST_PRIVATE_NUMBER = 0xf_0000;

// From Linux 5.1 on a new call gets the same number on every architecture.
const FIRST_COMMON_NUMBER = 424;

/** Of x86-64 and x32. */
export const AUDIT_ARCH_X86_64 = 0xc000_003e;

/** The ways in which a process can enter the kernel of a host. */
export interface HostInterfaces {
  readonly native: SystemCallInterface;
  /** Whatever else a configuration lists cannot occur. */
  readonly others: readonly SystemCallInterface[];
}

const known = new Map<Architecture, HostInterfaces>();

/** The interfaces of the kernels of an architecture. */
export function hostInterfaces(host: Architecture): HostInterfaces {
  const interfaces = known.get(host) ?? makeInterfaces(host);
  known.set(host, interfaces);
  return interfaces;
}

function makeInterfaces(host: Architecture): HostInterfaces {
  const numbers = systemCallNumbers(host);
  const wide = { own: numbers, native: numbers, firstNative: 0, base: 0, narrow: false, multiplexes: false };
  const narrow = { ...wide, firstNative: FIRST_COMMON_NUMBER, narrow: true };
  if (host === "arm64") {
    return {
      native: { ...wide, name: "SCMP_ARCH_AARCH64", audit: 0xc000_00b7 },
      others: [{ ...narrow, name: "SCMP_ARCH_ARM", audit: 0x4000_0028, own: armSystemCalls() }],
    };
  }
  const x86_64 = { ...wide, audit: AUDIT_ARCH_X86_64 };
  return {
    native: { ...x86_64, name: "SCMP_ARCH_X86_64" },
    others: [
      // Its registers are 64 bits wide and the kernel uses all of them.
      { ...x86_64, name: "SCMP_ARCH_X32", base: X32_BIT, own: x32OwnSystemCalls() },
      { ...narrow, name: "SCMP_ARCH_X86", audit: 0x4000_0003, own: i386SystemCalls(), multiplexes: true },
    ],
  };
}

/** The number of a call on an interface, without its base; undefined when there is no such call. */
export function numberOf(face: SystemCallInterface, name: string): number | undefined {
  // Not only `!== undefined`: a configuration may name "constructor".
  const own = face.own[name];
  if (typeof own === "number") return own < 0 ? undefined : own;
  const number = face.native[name];
  return typeof number === "number" && number >= face.firstNative ? number : undefined;
}

// The numbers of the multiplexing calls, above the numbers of their inner calls.
const SOCKETCALL = 102 << 8;
const IPC = 117 << 8;

/** The calls that 32-bit x86 also reaches through `socketcall` or `ipc`; linux/net.h and linux/ipc.h. */
const MULTIPLEXED: NumberTable = {
  socket: SOCKETCALL + 1,
  bind: SOCKETCALL + 2,
  connect: SOCKETCALL + 3,
  listen: SOCKETCALL + 4,
  accept: SOCKETCALL + 5,
  getsockname: SOCKETCALL + 6,
  getpeername: SOCKETCALL + 7,
  socketpair: SOCKETCALL + 8,
  send: SOCKETCALL + 9,
  recv: SOCKETCALL + 10,
  sendto: SOCKETCALL + 11,
  recvfrom: SOCKETCALL + 12,
  shutdown: SOCKETCALL + 13,
  setsockopt: SOCKETCALL + 14,
  getsockopt: SOCKETCALL + 15,
  sendmsg: SOCKETCALL + 16,
  recvmsg: SOCKETCALL + 17,
  accept4: SOCKETCALL + 18,
  recvmmsg: SOCKETCALL + 19,
  sendmmsg: SOCKETCALL + 20,
  semop: IPC + 1,
  semget: IPC + 2,
  semctl: IPC + 3,
  semtimedop: IPC + 4,
  msgsnd: IPC + 11,
  msgrcv: IPC + 12,
  msgget: IPC + 13,
  msgctl: IPC + 14,
  shmat: IPC + 21,
  shmdt: IPC + 22,
  shmget: IPC + 23,
  shmctl: IPC + 24,
};

/** A call of 32-bit x86 that takes the number of another call as its first argument. */
export interface Multiplexer {
  readonly number: number;
  readonly inner: number;
}

/** How 32-bit x86 also reaches the call `name`; undefined for calls that have only their own number, if any. */
export function multiplexerOf(name: string): Multiplexer | undefined {
  const both = MULTIPLEXED[name];
  return typeof both === "number" ? { number: both >> 8, inner: both & 0xff } : undefined;
}
