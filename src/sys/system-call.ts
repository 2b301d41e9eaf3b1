/*
 * The door to the kernel: every system call of Bunker's own process goes through the one C function `syscall`, by
 * number, with seven integer arguments. `i64_fast` keeps results below 2^53 plain numbers, so nothing is a BigInt, and
 * pointers are passed as numbers. libc's `syscall` returns -1 and sets errno; errno is thread-local, so its address is
 * asked for once in each thread that loads this module and read straight after the call, before anything else of
 * libc can run on this thread.
 */
import { dlopen, FFIType, read, toArrayBuffer } from "bun:ffi";
import { BunkerError } from "./error.ts";
import { leaveTerminals } from "./leave-terminals.ts";
import { type Memory, memoryOver } from "./memory.ts";
import { mmap, mprotect, munmap } from "./own-system-calls.ts";

/** The system call numbers of this process's architecture. */
export * as SystemCall from "./own-system-calls.ts";

const argument = FFIType.i64_fast;

function openLibc() {
  const symbols = {
    syscall: { args: [argument, argument, argument, argument, argument, argument, argument], returns: argument },
    __errno_location: { args: [], returns: FFIType.ptr },
  } as const;
  // glibc's name first, then musl's for each architecture.
  const names = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
  for (const name of names) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {
      // The next name; the error below speaks for all of them.
    }
  }
  throw new BunkerError({ code: "no_libc", operation: "load the C library", object: names.join(", ") });
}

const libc = openLibc();
/** Where libc keeps this thread's errno, among the thread's own variables. */
export const errnoAddress = Number(libc.__errno_location());
if (errnoAddress === 0) throw new BunkerError({ code: "no_libc", operation: "find errno" });

/** Makes all system calls of this thread in another way, while it is there; see redirected-calls.ts. */
export const redirection: {
  caller: ((number: number, ...words: readonly number[]) => number) | undefined;
} = { caller: undefined };

/**
 * Makes a system call.
 * @param number from `SystemCall`
 * @param a to `f` its arguments: integers below 2^53, file descriptors, addresses
 * @returns the result as the kernel gives it: negative is the negated error number
 */
export function systemCall(number: number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  if (redirection.caller !== undefined) return redirection.caller(number, a, b, c, d, e, f);
  const result = Number(libc.syscall(number, a, b, c, d, e, f));
  return result === -1 ? -read.i32(errnoAddress as Parameters<typeof read.i32>[0], 0) : result;
}

// A thread's end is not the process's.
if (Bun.isMainThread) process.once("exit", () => leaveTerminals(systemCall));

/**
 * Turns a kernel result into a value or an error.
 * @param result of `systemCall`
 * @param operation and `object`: for the error's message
 * @returns `result`, when it is not negative
 * @throws BunkerError `system_call_failed` with the errno
 */
export function check(result: number, operation: string, object?: string): number {
  if (result >= 0) return result;
  throw new BunkerError({ code: "system_call_failed", operation, object, errno: -result });
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;

/** Memory of its own pages, given back to the kernel by `dispose` (or `using`). */
export interface MappedMemory extends Memory, Disposable {}

/**
 * Maps anonymous, zeroed memory; mmap(2).
 * @param size bytes, rounded up to whole pages by the kernel
 * @param sharing `shared` memory stays common with children that are cloned later, `private` memory is theirs by copy
 * @param alignment of its address, where pages are not enough
 */
export function mapMemory(size: number, sharing: "shared" | "private", alignment = 1): MappedMemory {
  const flags = MAP_ANONYMOUS | (sharing === "shared" ? MAP_SHARED : MAP_PRIVATE);
  const length = size + alignment - 1;
  const start = check(systemCall(mmap, 0, length, PROT_READ | PROT_WRITE, flags, -1, 0), "map memory");
  const address = start + ((alignment - (start % alignment)) % alignment);
  const storage = toArrayBuffer(address as Parameters<typeof toArrayBuffer>[0], 0, size) as ArrayBuffer;
  const dispose = () => {
    systemCall(munmap, start, length);
  };
  return Object.assign(memoryOver(storage, address), { [Symbol.dispose]: dispose });
}

/** Makes mapped memory readable and executable and no longer writable; mprotect(2). */
export function makeExecutable(memory: MappedMemory): void {
  const { length } = memory.bytes;
  check(systemCall(mprotect, memory.address, length, PROT_READ | PROT_EXEC), "make memory executable");
}
