/*
 * A program for tests: installs a filter on its own thread, makes the calls that it is told to make and prints their
 * results. Its one argument is JSON: the filter's program in hexadecimal, the flags, and the calls.
 */
import { CFunction } from "bun:ffi";
import { writeSync } from "node:fs";
import { allocate } from "../../../../src/sys/memory.ts";
import { check, makeExecutable, mapMemory, SystemCall, systemCall } from "../../../../src/sys/system-call.ts";

/** What the child is told to do. */
export interface Task {
  readonly program: string;
  readonly flags: number;
  /** Through `syscall` or, with one argument, through `int 0x80`. */
  readonly calls: readonly {
    readonly by: "syscall" | "int80";
    readonly number: number;
    readonly args: readonly number[];
  }[];
}

const PR_SET_NO_NEW_PRIVS = 38;
const SIGSYS = 31;
const SECCOMP_SET_MODE_FILTER = 1;

/** int call(int number, int argument): push rbx; mov eax, edi; mov ebx, esi; int 0x80; pop rbx; ret */
function int80(): (number: number, argument: number) => number {
  const code = mapMemory(4096, "private");
  code.buffer.set([0x53, 0x89, 0xf8, 0x89, 0xf3, 0xcd, 0x80, 0x5b, 0xc3]);
  makeExecutable(code);
  const call = CFunction({ ptr: code.address as never, args: ["i32", "i32"], returns: "i32" });
  return (number, argument) => Number(call(number, argument));
}

const task: Task = JSON.parse(process.argv[2] ?? "");
const filter = Buffer.from(task.program, "hex");
const instructions = allocate(filter.length);
instructions.buffer.set(filter);
// struct sock_fprog
const program = allocate(16);
program.view.setUint16(0, filter.length / 8, true);
program.view.setBigUint64(8, BigInt(instructions.address), true);
const through80 = task.calls.some(({ by }) => by === "int80") ? int80() : undefined;

// The runtime's own handler would survive the signal: back to SIG_DFL, a struct kernel_sigaction of zeros.
const defaultHandler = allocate(32);
check(systemCall(SystemCall.rt_sigaction, SIGSYS, defaultHandler.address, 0, 8), "reset the handler of SIGSYS");
check(systemCall(SystemCall.prctl, PR_SET_NO_NEW_PRIVS, 1), "set no_new_privs");
const listener = check(
  systemCall(SystemCall.seccomp, SECCOMP_SET_MODE_FILTER, task.flags, program.address),
  "install the filter",
);
writeSync(1, `${listener}\n`);
for (const { by, number, args } of task.calls) {
  const result = by === "int80" ? through80?.(number, args[0] ?? 0) : systemCall(number, ...args);
  writeSync(1, `${result}\n`);
}
process.exit(0);
