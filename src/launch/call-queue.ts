/*
 * System calls that another process makes for this one, in order, while this one goes on.
 *
 * Making thousands of files is the kernel's work, and JavaScript that waits for each call can do nothing else meanwhile. A
 * Worker could make the calls instead, but it takes 30 ms to start, and compiles its code once more. So the calls are
 * written down: a child that shares this process's memory and its descriptors (CLONE_VM, CLONE_FILES) obeys them by the
 * interpreter of launch programs. It runs no JavaScript and starts in a fraction of a millisecond.
 *
 *   | batch 0: wait, calls ..., tell | batch 1 | batch 2 | batch 3 |  and on with batch 0
 *
 * This side fills a batch and says so (`submitted`, futex(2)), and fills the next one while the child executes. The child
 * counts what it has executed (`completed`) and says that as well (eventfd(2)). A batch is filled again once it has been
 * executed, so what is queued is bounded, and a caller who is too fast waits.
 *
 * A call may use what an earlier one has resulted in, such as a descriptor, by a slot. What it points to has to stay where
 * it is until the call was made: texts and structures lie in the batch, or in memory that the caller keeps until
 * `waitFor` says so.
 *
 * A call that fails ends the child; the calls behind it are not made. The next time that this side waits or submits, it
 * gets the error that `explain` makes of it. So a queue is for calls that are not expected to fail.
 *
 * The child can make them as root of another user namespace, which a process with several threads cannot enter itself.
 *
 * Numbers that one side writes and the other reads are ordered by system calls: each of them, in either direction, comes
 * after a futex call of the writer and before one of the reader, both of which are full memory barriers.
 */
import { setBlocking } from "../sys/blocking.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { CloneFlag } from "../sys/clone.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { mapHugePages } from "../sys/huge-pages.ts";
import { setInteger64 } from "../sys/integer64.ts";
import type { Memory } from "../sys/memory.ts";
import { type ProcessEnd, waitForExit } from "../sys/process.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { pipe } from "../sys/socket.ts";
import type { Timestamp } from "../sys/stat.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";
import { withoutSlowestCompiler } from "../sys/without-slowest-compiler.ts";
import { endWithCaller } from "./end-with-caller.ts";
import { errorFromFailureRecord, FAILURE_RECORD_SIZE } from "./failure.ts";
import { type LaunchedProcess, launchReportingTo } from "./launch.ts";
import {
  type Argument,
  DISCARD_SLOT,
  encodeOperation,
  IGNORE_ANY,
  OPERATION_SIZE,
  type OperationKind,
  type Slot,
} from "./operation.ts";
import { LaunchProgram } from "./program.ts";

const BATCH_COUNT = 4;
/** Operations that a batch has room for, besides those around them; and bytes of texts and structures. */
const BATCH_OPERATIONS = 1024;
const BATCH_BYTES = 1 << 17;
const OPERATIONS_BEFORE = 3;
const OPERATIONS_BEHIND = 5;
const BATCH_SIZE = (OPERATIONS_BEFORE + BATCH_OPERATIONS + OPERATIONS_BEHIND) * OPERATION_SIZE;
const ARENA_SIZE = BATCH_COUNT * (BATCH_SIZE + BATCH_BYTES) + (1 << 15);

const FUTEX_WAIT_PRIVATE = 128;
const FUTEX_WAKE_PRIVATE = 129;
const EFD_CLOEXEC = 0o2000000;
const POLLIN = 1;
const POLL_ENTRY_SIZE = 8;

/** What may be said of a call besides its arguments. */
export interface QueuedCallOptions {
  /** Receives what it returns. */
  readonly result?: Slot;
  /** Whether it does not matter when it fails. */
  readonly ignoresErrors?: boolean;
}

interface Batch<Subject> {
  readonly operations: Memory;
  readonly words: Int32Array;
  readonly bytes: Memory;
  /** The same. */
  readonly buffer: Buffer;
  /** What its operations are about, by their index. */
  readonly subjects: (Subject | undefined)[];
}

/** See the head of this file. `Subject` says what a call is about. */
export class CallQueue<Subject> implements Disposable {
  readonly #explain: (subject: Subject, result: number) => unknown;
  readonly #resources = new DisposableStack();
  readonly #program: LaunchProgram;
  readonly #batches: readonly Batch<Subject>[];
  /** The one that is being filled. */
  #batch: Batch<Subject>;
  /** How many batches were submitted, and executed; the kernel and the child look at them. */
  readonly #counters: Memory;
  readonly #counts: Int32Array;
  readonly #event: FileDescriptor;
  readonly #poll: Memory;
  readonly #eventValue: Memory;
  readonly #errors: FileDescriptor;
  readonly #child: LaunchedProcess;
  /** Takes what a write has written. */
  readonly #written: Slot;
  #isRunning = true;
  #failure: { readonly cause: unknown } | undefined;
  #submitted = 0;
  /** Of that batch. */
  #operationCount = 0;
  #byteCount = 0;

  /**
   * Starts the child. It has the credentials and the namespaces of the calling thread, and ends with it at the latest; its
   * umask is 0.
   * @param explain makes an error of a failure: what the call was about, and its result, a negated error number
   * @param userNamespace descriptor of a user namespace that the child enters, which gives it all capabilities there
   * @throws BunkerError `launch_failed`
   */
  constructor(explain: (subject: Subject, result: number) => unknown, userNamespace?: number) {
    this.#explain = explain;
    using cleanup = new DisposableStack();
    // Much of it is written with every batch. The child shares private memory, too.
    const program = cleanup.use(new LaunchProgram(mapHugePages(ARENA_SIZE)));
    this.#program = program;
    this.#counters = program.reserve(8);
    this.#counts = new Int32Array(this.#counters.view.buffer, this.#counters.view.byteOffset, 2);
    const event = check(systemCall(SystemCall.eventfd2, 0, EFD_CLOEXEC), "make an event descriptor");
    this.#event = cleanup.use(new FileDescriptor(event));
    this.#batches = Array.from({ length: BATCH_COUNT }, () => makeBatch<Subject>(program));
    this.#batch = this.#batchAfter(0);
    this.#written = program.slot("bytes written");
    this.#writeFrames();
    const [errors, errorWriter] = pipe();
    this.#errors = cleanup.use(errors);
    // Not closed before the child has ended: both have the same descriptors.
    cleanup.use(errorWriter);
    withoutSlowestCompiler(CallQueue, this.#operation, encodeOperation);
    this.#emitStart(userNamespace);
    this.#child = launchReportingTo(errorWriter.number, program, { flags: CloneFlag.VM | CloneFlag.FILES });
    cleanup.use(this.#child.pidfd);
    this.#poll = program.reserve(2 * POLL_ENTRY_SIZE);
    this.#eventValue = program.reserve(8);
    for (const [index, descriptor] of [this.#event.number, this.#child.pidfd.number].entries()) {
      this.#poll.view.setInt32(POLL_ENTRY_SIZE * index, descriptor, true);
      this.#poll.view.setInt16(POLL_ENTRY_SIZE * index + 4, POLLIN, true);
    }
    this.#resources = cleanup.move();
  }

  /** A new variable for results, initially `value`. */
  slot(name: string, value: number): Slot {
    const slot = this.#program.slot(name);
    this.#program.write(slot, value);
    return slot;
  }

  /** What a slot holds; to be asked when all calls were made that store to it. */
  read(slot: Slot): number {
    return this.#program.read(slot);
  }

  /** The number of the batch that is being filled, for `waitFor`. */
  get position(): number {
    return this.#submitted;
  }

  /**
   * Sees to it that what follows comes into one batch.
   * @param operations at most `BATCH_OPERATIONS` calls, branches and assignments
   * @param bytes of texts, with a NUL each, and structures of up to 8 bytes more than they have
   * @throws as `submit`
   */
  reserve(operations: number, bytes: number): void {
    const fits = this.#operationCount + operations <= BATCH_OPERATIONS && this.#byteCount + bytes <= BATCH_BYTES;
    if (!fits) this.submit();
  }

  /** Puts a NUL-terminated text into the batch. Returns its address. */
  text(value: ByteString): number {
    const { bytes, buffer } = this.#batch;
    const start = this.#byteCount;
    buffer.write(value, start, "latin1");
    buffer[start + value.length] = 0;
    this.#byteCount = start + value.length + 1;
    return bytes.address + start;
  }

  /** Puts two `struct timespec` into the batch. Returns their address. */
  times(accessed: Timestamp, modified: Timestamp): number {
    const { bytes } = this.#batch;
    const start = (this.#byteCount + 7) & ~7;
    setInteger64(bytes.view, start, accessed.seconds);
    setInteger64(bytes.view, start + 8, accessed.nanoseconds);
    setInteger64(bytes.view, start + 16, modified.seconds);
    setInteger64(bytes.view, start + 24, modified.nanoseconds);
    this.#byteCount = start + 32;
    return bytes.address + start;
  }

  /**
   * Queues a call; see `reserve`.
   * @param number from `SystemCall`
   */
  call(number: number, args: readonly Argument[], subject: Subject, options?: QueuedCallOptions): void {
    const { words, subjects } = this.#batch;
    const index = this.#operationCount++;
    subjects[index] = subject;
    encodeOperation(words, wordOf(index), {
      kind: "systemCall",
      systemCall: number,
      arguments: args,
      result: options?.result?.index ?? DISCARD_SLOT,
      firstIgnored: options?.ignoresErrors === true ? IGNORE_ANY : 0,
      secondIgnored: 0,
      next: OPERATION_SIZE,
      otherwise: OPERATION_SIZE,
    });
  }

  /** Queues an assignment. */
  set(slot: Slot, value: number): void {
    this.#operation("add", [value, 0, 0], slot.index);
  }

  /**
   * Queues the writing of bytes at a place of a file, all of them. A file system that is full takes a part; then the last
   * byte is written alone, which tells why, or else everything is tried again.
   * @param address of the bytes, which stay there until the batch was executed
   */
  writeAt(file: Slot, address: number, length: number, position: number, subject: Subject): void {
    const written = this.#written;
    this.call(SystemCall.pwrite64, [file, address, length, position], subject, { result: written });
    this.#operation("equal", [written, length], DISCARD_SLOT, OPERATION_SIZE, 3 * OPERATION_SIZE);
    this.call(SystemCall.pwrite64, [file, address + length - 1, 1, position + length - 1], subject);
    this.#operation("add", [0, 0, 0], DISCARD_SLOT, -3 * OPERATION_SIZE);
  }

  /**
   * Hands over what was queued. Waits while all batches are full.
   * @throws what `explain` makes of a call that has failed
   */
  submit(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    if (this.#operationCount === 0) return;
    const unused = BATCH_OPERATIONS - this.#operationCount;
    if (unused > 0) this.#operation("add", [0, 0, 0], DISCARD_SLOT, unused * OPERATION_SIZE);
    this.#submitted++;
    this.#batch = this.#batchAfter(this.#submitted);
    this.#operationCount = 0;
    this.#byteCount = 0;
    Atomics.store(this.#counts, 0, this.#submitted);
    systemCall(SystemCall.futex, this.#counters.address, FUTEX_WAKE_PRIVATE, 1);
    this.waitFor(this.#submitted - BATCH_COUNT + 1);
  }

  /**
   * Waits until so many batches were executed.
   * @throws as `submit`
   */
  waitFor(count: number): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
    while (Atomics.load(this.#counts, 1) < count) {
      const result = systemCall(SystemCall.ppoll, this.#poll.address, 2, 0, 0, SIGNAL_SET_SIZE);
      if (result === -Errno.EINTR) continue;
      check(result, "wait for queued system calls");
      const [hasEvent, hasEnded] = [0, 1].map((index) => this.#poll.view.getInt16(POLL_ENTRY_SIZE * index + 6, true));
      if (hasEvent !== 0) systemCall(SystemCall.read, this.#event.number, this.#eventValue.address, 8);
      else if (hasEnded !== 0) this.#fail();
    }
  }

  /** Hands over what was queued, and waits until all of it was done. */
  drain(): void {
    this.submit();
    this.waitFor(this.#submitted);
  }

  /**
   * Ends the child, once it has executed what was submitted. What was queued besides is given up. Slots can be read
   * afterwards.
   */
  stop(): void {
    if (!this.#isRunning) return;
    this.#operationCount = 0;
    try {
      const args = [0];
      this.#operation("systemCall", args, DISCARD_SLOT, OPERATION_SIZE, OPERATION_SIZE, SystemCall.exit_group);
      this.submit();
    } catch {
      // It has failed before, and whoever waited for that was told.
    }
    if (this.#isRunning) this.#reap();
  }

  /** Stops, and gives everything back. */
  [Symbol.dispose](): void {
    this.stop();
    this.#resources.dispose();
  }

  /** The batch that is filled after so many. */
  #batchAfter(submitted: number): Batch<Subject> {
    const batch = this.#batches[submitted % BATCH_COUNT];
    if (batch === undefined) throw new Error("there is no such batch");
    return batch;
  }

  /** Puts an operation without a subject into the batch. */
  #operation(
    kind: OperationKind,
    args: readonly Argument[],
    result = DISCARD_SLOT,
    next = OPERATION_SIZE,
    otherwise = OPERATION_SIZE,
    systemCallNumber = 0,
  ): void {
    const { words, subjects } = this.#batch;
    const index = this.#operationCount++;
    subjects[index] = undefined;
    encodeOperation(words, wordOf(index), {
      kind,
      systemCall: systemCallNumber,
      arguments: args,
      result,
      firstIgnored: 0,
      secondIgnored: 0,
      next,
      otherwise,
    });
  }

  /** Writes what the child executes before and behind the operations of each batch. */
  #writeFrames(): void {
    const { address: submitted } = this.#counters;
    const completed = submitted + 4;
    const done = this.#program.slot("batches done");
    const seen = this.#program.slot("batches submitted");
    const one = this.#program.reserve(8);
    setInteger64(one.view, 0, 1);
    const futex = {
      kind: "systemCall",
      systemCall: SystemCall.futex,
      result: DISCARD_SLOT,
      ignored: IGNORE_ANY,
    } as const;
    for (const [index, { words, operations }] of this.#batches.entries()) {
      const following = this.#batches[(index + 1) % BATCH_COUNT]?.operations.address ?? 0;
      let place = -OPERATIONS_BEFORE;
      const put = ({
        ignored = 0,
        next = OPERATION_SIZE,
        otherwise = OPERATION_SIZE,
        ...operation
      }: FrameOperation) => {
        const jumps = { firstIgnored: ignored, secondIgnored: 0, next, otherwise };
        encodeOperation(words, wordOf(place++), { systemCall: 0, result: DISCARD_SLOT, ...operation, ...jumps });
      };
      put({ ...futex, arguments: [submitted, FUTEX_WAIT_PRIVATE, done, 0] });
      put({ kind: "load32", arguments: [submitted, 0], result: seen.index });
      put({ kind: "equal", arguments: [seen, done], otherwise: -2 * OPERATION_SIZE });
      place = BATCH_OPERATIONS;
      put({ kind: "add", arguments: [done, 1, 0], result: done.index });
      // Nobody waits there: what the batch has stored is to be seen before the count.
      put({ ...futex, arguments: [completed, FUTEX_WAKE_PRIVATE, 1] });
      put({ kind: "store32", arguments: [completed, 0, done] });
      put({ kind: "systemCall", systemCall: SystemCall.write, arguments: [this.#event.number, one.address, 8] });
      const end = operations.address + wordOf(place) * 4;
      put({ kind: "add", arguments: [0, 0, 0], next: following - end });
    }
  }

  #emitStart(userNamespace: number | undefined): void {
    const program = this.#program;
    const what = { operation: "begin to make queued system calls" };
    const everySignal = program.bytes(Buffer.from(new ArrayBuffer(SIGNAL_SET_SIZE)).fill(0xff));
    if (userNamespace !== undefined) program.call("setns", [userNamespace, CloneFlag.NEWUSER], what);
    endWithCaller(program);
    program.call("rt_sigprocmask", [SIG_SETMASK, everySignal, 0, SIGNAL_SET_SIZE], what);
    program.call("umask", [0], what);
    program.jump(this.#batches[0]?.operations.address ?? 0);
  }

  /** Throws what the child has ended with. */
  #fail(): never {
    const end = this.#reap();
    setBlocking(this.#errors.number, false);
    const record = this.#eventValue;
    const count = systemCall(SystemCall.read, this.#errors.number, record.address, FAILURE_RECORD_SIZE);
    const place = this.#program.slotsAddress + record.view.getUint32(0, true) * OPERATION_SIZE;
    const batch = this.#batches.find(({ operations: { address } }) => {
      return address <= place + OPERATION_SIZE && place < address + BATCH_SIZE;
    });
    // The place is rounded down.
    const index = Math.ceil((place - (batch?.operations.address ?? 0)) / OPERATION_SIZE) - OPERATIONS_BEFORE;
    const subject = batch?.subjects[index];
    const cause =
      count !== FAILURE_RECORD_SIZE
        ? lostChild(end)
        : subject === undefined
          ? errorFromFailureRecord(record.buffer, this.#program.failureTable())
          : this.#explain(subject, -record.view.getInt32(4, true));
    this.#failure = { cause };
    throw cause;
  }

  #reap(): ProcessEnd {
    const end = waitForExit(this.#child.pid);
    this.#isRunning = false;
    return end;
  }
}

function lostChild(end: ProcessEnd): BunkerError {
  const how = "signal" in end ? `was killed by signal ${end.signal}` : `ended with status ${end.exitCode}`;
  return new BunkerError({ code: "helper_lost", operation: "make queued system calls", reason: `the process ${how}` });
}

interface FrameOperation {
  readonly kind: OperationKind;
  readonly arguments: readonly Argument[];
  readonly systemCall?: number;
  readonly result?: number;
  readonly ignored?: number;
  readonly next?: number;
  readonly otherwise?: number;
}

/** Where an operation of a batch begins in its words. */
function wordOf(index: number): number {
  return ((OPERATIONS_BEFORE + index) * OPERATION_SIZE) / 4;
}

function makeBatch<Subject>(program: LaunchProgram): Batch<Subject> {
  const operations = program.reserve(BATCH_SIZE);
  const { buffer, byteOffset } = operations.view;
  const words = new Int32Array(buffer, byteOffset, BATCH_SIZE / 4);
  const bytes = program.reserve(BATCH_BYTES);
  return { operations, words, bytes, buffer: bytes.buffer, subjects: [] };
}
