/*
 * Signals as records in a pipe, for foreground commands.
 *
 * signalfd(2) needs every thread of the process to block the signals, but Bun's helper threads are there before the
 * first line of JavaScript and block none; and a handler of JavaScript's own cannot run while the thread waits in the
 * reactor. So the handler is a few instructions of machine code: it writes the beginning of the siginfo_t that it is called
 * with, the signal's number and who or what it is about, into a pipe that the reactor waits for. It touches no stack and no
 * errno, and does not care which thread it interrupts.
 *
 * So another thread may still be about to execute it when this one has put back the former action. Therefore neither its
 * page is unmapped nor its pipe closed, whose number would soon be another file's: both wait for the next who wants
 * signals, and a process has as many of them as were in use at once.
 *
 * Calls that it interrupts are not restarted (no SA_RESTART): a write that
 * blocks because nobody reads must not keep Ctrl-C from being seen.
 */
import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import { setBlocking } from "../sys/blocking.ts";
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { setInteger64 } from "../sys/integer64.ts";
import { allocate, type Memory } from "../sys/memory.ts";
import { ChildInformation } from "../sys/process.ts";
import { SIGNAL_ACTION_SIZE, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { pipe } from "../sys/socket.ts";
import { check, type MappedMemory, makeExecutable, mapMemory, SystemCall, systemCall } from "../sys/system-call.ts";
import { systemCallNumber } from "../sys/system-call-number.ts";

const SA_SIGINFO = 0x4;
const SA_RESTORER = 0x04000000;

const PAGE_SIZE = 4096;

/** The bytes of a siginfo_t up to a child's status. */
const RECORD_SIZE = ChildInformation.status + 4;

/**
 * The handler's code, and where in it the restorer starts, which x86-64 returns from signals by. It is written down
 * instruction by instruction, because every foreground command needs it, and would load an assembler for it.
 */
export function emitSignalHandler(
  architecture: Architecture,
  descriptor: number,
): { readonly code: Uint8Array; readonly restorer: number | undefined } {
  const write = systemCallNumber("write", architecture);
  if (architecture === "arm64") {
    const instructions = [
      0xd2800000 | ((descriptor & 0xffff) << 5), // mov x0, descriptor, its lower half
      0xf2a00000 | ((descriptor >>> 16) << 5), // movk x0, the upper half, lsl 16
      0xd2800002 | (RECORD_SIZE << 5), // mov x2, the record's size
      0xd2800008 | (write << 5), // mov x8, write
      0xd4000001, // svc 0
      0xd65f03c0, // ret
    ];
    const code = new DataView(new ArrayBuffer(4 * instructions.length));
    for (const [index, instruction] of instructions.entries()) code.setUint32(4 * index, instruction, true);
    return { code: new Uint8Array(code.buffer), restorer: undefined };
  }
  const handler = [
    ...[0xbf, ...immediate32(descriptor)], // mov edi, descriptor
    ...[0xba, ...immediate32(RECORD_SIZE)], // mov edx, the record's size
    ...[0xb8, ...immediate32(write)], // mov eax, write
    ...[0x0f, 0x05], // syscall
    0xc3, // ret
  ];
  const restorer = [
    ...[0xb8, ...immediate32(systemCallNumber("rt_sigreturn", architecture))], // mov eax, rt_sigreturn
    ...[0x0f, 0x05], // syscall
  ];
  return { code: new Uint8Array([...handler, ...restorer]), restorer: handler.length };
}

function immediate32(value: number): readonly number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** A handler's code, and the pipe that it writes into. */
interface Handler {
  readonly readEnd: FileDescriptor;
  readonly writeEnd: FileDescriptor;
  readonly page: MappedMemory;
  /** The address that it returns from signals by. */
  readonly restorer: number | undefined;
}

/** Those that nobody uses now. */
const unused: Handler[] = [];

function makeHandler(): Handler {
  const [readEnd, writeEnd] = pipe();
  for (const end of [readEnd, writeEnd]) setBlocking(end.number, false);
  const { code, restorer } = emitSignalHandler(hostArchitecture(), writeEnd.number);
  const page = mapMemory(PAGE_SIZE, "private");
  page.bytes.set(code);
  makeExecutable(page);
  return { readEnd, writeEnd, page, restorer: restorer === undefined ? undefined : page.address + restorer };
}

/** Receives signals through a pipe; see the head of this file. Disposing it restores the former actions. */
export class SignalPipe implements Disposable {
  readonly #handler = unused.pop() ?? makeHandler();
  readonly #record = allocate(RECORD_SIZE);
  readonly #signals: readonly number[];
  /** The actions found, in the signals' order. */
  readonly #former: ReturnType<typeof allocate>;

  /** @param signals the numbers of the signals to receive */
  constructor(signals: readonly number[]) {
    // What was sent to the one before.
    while (this.next() !== undefined);
    const action = this.action(0);
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
    return this.#handler.readEnd.number;
  }

  /** The next signal's number, or undefined when there is none. */
  next(): number | undefined {
    const { address, bytes } = this.#record;
    const result = systemCall(SystemCall.read, this.#handler.readEnd.number, address, RECORD_SIZE);
    if (result === -Errno.EAGAIN || result === -Errno.EINTR) return undefined;
    check(result, "read a signal");
    return bytes[0];
  }

  /** What came with the last signal: a siginfo_t up to a child's status; sys/process.ts has the offsets. */
  get information(): DataView {
    return this.#record.view;
  }

  /** The kernel's struct sigaction by which a signal comes through this pipe, with further flags of sigaction(2). */
  action(flags: number): Memory {
    const { page, restorer } = this.#handler;
    // Handler, flags, restorer, mask; arm64 has the same fields and ignores the restorer.
    const action = allocate(SIGNAL_ACTION_SIZE);
    setInteger64(action.view, 0, page.address);
    setInteger64(action.view, 8, SA_SIGINFO | (restorer === undefined ? 0 : SA_RESTORER) | flags);
    setInteger64(action.view, 16, restorer ?? 0);
    return action;
  }

  /** Puts back the actions found; to be called once. */
  [Symbol.dispose](): void {
    let former = this.#former.address;
    for (const signal of this.#signals) {
      systemCall(SystemCall.rt_sigaction, signal, former, 0, SIGNAL_SET_SIZE);
      former += SIGNAL_ACTION_SIZE;
    }
    unused.push(this.#handler);
  }
}
