/*
 * Signals as bytes of a pipe, for foreground commands.
 *
 * signalfd(2) needs every thread of the process to block the signals, but Bun's helper threads are there before the
 * first line of JavaScript and block none; and a handler of JavaScript's own cannot run while the thread waits in the
 * reactor. So the handler is a few instructions of machine code, emitted here: it writes the signal's number, the first
 * byte of the siginfo_t that it is called with, into a pipe that the reactor waits for. It touches no stack and no errno,
 * and does not care which thread it interrupts. Calls that it interrupts are not restarted (no SA_RESTART): a write that
 * blocks because nobody reads must not keep Ctrl-C from being seen.
 */
import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import { setBlocking } from "../sys/blocking.ts";
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { setInteger64 } from "../sys/integer64.ts";
import { allocate } from "../sys/memory.ts";
import { SIGNAL_ACTION_SIZE, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { pipe } from "../sys/socket.ts";
import { check, type MappedMemory, makeExecutable, mapMemory, SystemCall, systemCall } from "../sys/system-call.ts";
import { systemCallNumber } from "../sys/system-call-number.ts";
import { Arm64Assembler } from "./assembler/arm64.ts";
import { Register, X86Assembler } from "./assembler/x86-64.ts";

const SA_SIGINFO = 0x4;
const SA_RESTORER = 0x04000000;

const PAGE_SIZE = 4096;

/** The handler's code, and where in it the restorer starts, which x86-64 returns from signals by. */
export function emitSignalHandler(
  architecture: Architecture,
  descriptor: number,
): { readonly code: Uint8Array; readonly restorer: number | undefined } {
  const write = systemCallNumber("write", architecture);
  if (architecture === "arm64") {
    const assembler = new Arm64Assembler();
    assembler.movImmediate(0, descriptor);
    assembler.movImmediate(2, 1);
    assembler.movImmediate(8, write);
    assembler.svc();
    assembler.ret();
    return { code: assembler.finish(), restorer: undefined };
  }
  const handler = new X86Assembler();
  handler.movImmediate(Register.rdi, descriptor);
  handler.movImmediate(Register.rdx, 1);
  handler.movImmediate(Register.rax, write);
  handler.syscall();
  handler.ret();
  const restorer = new X86Assembler();
  restorer.movImmediate(Register.rax, systemCallNumber("rt_sigreturn", architecture));
  restorer.syscall();
  const first = handler.finish();
  return { code: Buffer.concat([first, restorer.finish()]), restorer: first.length };
}

/** Receives signals through a pipe; see the head of this file. Disposing it restores the former actions. */
export class SignalPipe implements Disposable {
  readonly #readEnd: FileDescriptor;
  readonly #writeEnd: FileDescriptor;
  readonly #page: MappedMemory;
  readonly #byte = allocate(1);
  readonly #signals: readonly number[];
  /** The actions found, in the signals' order. */
  readonly #former: ReturnType<typeof allocate>;

  /** @param signals the numbers of the signals to receive */
  constructor(signals: readonly number[]) {
    [this.#readEnd, this.#writeEnd] = pipe();
    for (const end of [this.#readEnd, this.#writeEnd]) setBlocking(end.number, false);
    const { code, restorer } = emitSignalHandler(hostArchitecture(), this.#writeEnd.number);
    this.#page = mapMemory(PAGE_SIZE, "private");
    this.#page.buffer.set(code);
    makeExecutable(this.#page);
    // The kernel's struct sigaction: handler, flags, restorer, mask; arm64 has the same fields and ignores the restorer.
    const action = allocate(SIGNAL_ACTION_SIZE);
    setInteger64(action.view, 0, this.#page.address);
    setInteger64(action.view, 8, SA_SIGINFO | (restorer === undefined ? 0 : SA_RESTORER));
    setInteger64(action.view, 16, restorer === undefined ? 0 : this.#page.address + restorer);
    this.#signals = signals;
    this.#former = allocate(SIGNAL_ACTION_SIZE * signals.length);
    let former = this.#former.address;
    for (const signal of signals) {
      const result = systemCall(SystemCall.rt_sigaction, signal, action.address, former, SIGNAL_SET_SIZE);
      check(result, "handle signal", String(signal));
      former += SIGNAL_ACTION_SIZE;
    }
  }

  /** The descriptor that is readable when a signal has come. */
  get descriptor(): number {
    return this.#readEnd.number;
  }

  /** The next signal's number, or undefined when there is none. */
  next(): number | undefined {
    const { address, buffer } = this.#byte;
    const result = systemCall(SystemCall.read, this.#readEnd.number, address, 1);
    if (result === -Errno.EAGAIN || result === -Errno.EINTR) return undefined;
    check(result, "read a signal");
    return buffer[0];
  }

  [Symbol.dispose](): void {
    let former = this.#former.address;
    for (const signal of this.#signals) {
      systemCall(SystemCall.rt_sigaction, signal, former, 0, SIGNAL_SET_SIZE);
      former += SIGNAL_ACTION_SIZE;
    }
    this.#readEnd.close();
    this.#writeEnd.close();
    this.#page[Symbol.dispose]();
  }
}
