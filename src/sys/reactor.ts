/*
 * The event loop of Bunker's long-lived processes and of every foreground command that waits for a container.
 *
 * Bun's own loop cannot wait for the things such a process lives by: process descriptors, signal descriptors, pipes
 * that are spliced and never read. So the reactor is a plain epoll(7) loop: a descriptor, the events wanted, a
 * callback. Everything else is a descriptor too: signals come through signalfd(2), time through timerfd_create(2), the
 * end of a process through pidfd_open(2). While the loop waits, the JavaScript thread is blocked in the kernel: no
 * promise resolves and no timer of Bun's fires until `run` returns, which is why nothing here is asynchronous.
 *
 * Readiness is level-triggered: a callback may do a bounded piece of work and return; it is called again while there
 * is more. A callback may add, change and remove any descriptor, its own and those whose events were fetched in the
 * same round: an event of a descriptor that was removed meanwhile is dropped. A number that is removed and given out
 * anew within one round is told apart by a generation count in the event's user data.
 */
import type { BusyPoll } from "./busy-poll.ts";
import { Errno } from "./errno.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { compileReadily } from "./just-in-time.ts";
import { allocate } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** Event bits of epoll_ctl(2). With `EDGE` the callback is only called for what is new. */
export const Event = {
  IN: 0x1,
  PRI: 0x2,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  RDHUP: 0x2000,
  EDGE: 0x80000000,
} as const;

/** Milliseconds for which `pause` does not look at a descriptor. */
const PAUSE = 50;
const EVENTS_IN_ONE_ROUND = 256;
/** Rounds after which it is no idle process that waits, for whose JavaScript compilers and their memory are wasted. */
const BUSY_AFTER = 100;
/** struct epoll_event is packed on x86-64 only. */
const EVENT_SIZE = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = EVENT_SIZE - 8;

const CLOCK_MONOTONIC = 1;
const TFD_CLOEXEC = 0o2000000;
const TFD_NONBLOCK = 0o4000;
const SFD_CLOEXEC = 0o2000000;
const SFD_NONBLOCK = 0o4000;
const SIGNAL_INFORMATION_SIZE = 128;

/** Called with the events that are ready, a mask of `Event` bits. */
export type EventCallback = (events: number) => void;

interface Registration {
  readonly generation: number;
  readonly callback: EventCallback;
}

/** An epoll loop; see the head of this file. */
export class Reactor implements Disposable {
  readonly #epoll = new FileDescriptor(check(systemCall(SystemCall.epoll_create1, EPOLL_CLOEXEC), "make an epoll"));
  readonly #events = allocate(EVENTS_IN_ONE_ROUND * EVENT_SIZE);
  readonly #change = allocate(EVENT_SIZE);
  /** By descriptor number. */
  readonly #registrations: (Registration | undefined)[] = [];
  #registered = 0;
  #deferred: (() => void)[] = [];
  #afterRound: (() => void)[] = [];
  readonly #paused: { readonly descriptor: number; readonly events: number; readonly generation: number }[] = [];
  /** When what is paused goes on. */
  #goOnAt = 0;
  #isInRound = false;
  /** Of the newest registration: 32 bits, as an event's user data has room for. */
  #generation: number;
  #running = false;
  #rounds = 0;
  /** How to wait where an answer is expected; with sleep, as always, if undefined. */
  busyPoll: BusyPoll | undefined = undefined;
  #expectsAnswer = false;
  readonly #fetch = (limit: number): number => {
    const { address } = this.#events;
    return systemCall(SystemCall.epoll_pwait, this.#epoll.number, address, EVENTS_IN_ONE_ROUND, limit, 0, 8);
  };

  /** @param generation to count on from */
  constructor(generation = 0) {
    this.#generation = generation;
  }

  #control(operation: number, descriptor: number, events: number, generation: number): number {
    this.#change.view.setUint32(0, events, true);
    this.#change.view.setInt32(EVENT_DATA, descriptor, true);
    this.#change.view.setInt32(EVENT_DATA + 4, generation, true);
    return systemCall(SystemCall.epoll_ctl, this.#epoll.number, operation, descriptor, this.#change.address);
  }

  /**
   * Calls `callback` whenever one of `events` (or ERR or HUP) is ready on `descriptor`.
   * @returns false when the kernel says that this kind of file cannot be waited for (a regular file: always ready)
   * @throws BunkerError for any other refusal
   */
  add(descriptor: number, events: number, callback: EventCallback): boolean {
    // A process that is busy for days makes more registrations than there are numbers.
    this.#generation = (this.#generation + 1) | 0;
    const generation = this.#generation;
    const result = this.#control(EPOLL_CTL_ADD, descriptor, events, generation);
    if (result === -Errno.EPERM) return false;
    check(result, "wait for events of a file descriptor");
    if (this.#registrations[descriptor] === undefined) this.#registered++;
    this.#registrations[descriptor] = { generation, callback };
    return true;
  }

  /** Changes the events waited for; 0 pauses a descriptor except for ERR and HUP. */
  change(descriptor: number, events: number): void {
    const registration = this.#registrations[descriptor];
    if (registration !== undefined) this.#control(EPOLL_CTL_MOD, descriptor, events, registration.generation);
  }

  /**
   * Waits for events of a descriptor again only after a moment: when something is wanting that it takes to handle them,
   * such as descriptors, for which reason this is none of `Timer`.
   */
  pause(descriptor: number, events: number): void {
    const registration = this.#registrations[descriptor];
    if (registration === undefined) return;
    this.#control(EPOLL_CTL_MOD, descriptor, 0, registration.generation);
    if (this.#paused.length === 0) this.#goOnAt = performance.now() + PAUSE;
    this.#paused.push({ descriptor, events, generation: registration.generation });
  }

  #goOnWithPaused(): void {
    for (const { descriptor, events, generation } of this.#paused.splice(0)) {
      if (this.#registrations[descriptor]?.generation === generation) this.change(descriptor, events);
    }
  }

  /** Stops waiting for a descriptor; to be called before it is closed. Unknown ones are ignored. */
  remove(descriptor: number): void {
    if (this.#forget(descriptor)) this.#control(EPOLL_CTL_DEL, descriptor, 0, 0);
  }

  /**
   * Stops waiting for a descriptor that is closed next and that nobody else has a copy of: the kernel then takes it
   * off by itself, which saves a system call.
   */
  forget(descriptor: number): void {
    this.#forget(descriptor);
  }

  #forget(descriptor: number): boolean {
    if (this.#registrations[descriptor] === undefined) return false;
    this.#registrations[descriptor] = undefined;
    this.#registered--;
    return true;
  }

  /** Calls `callback` once, in the next round and without waiting for an event. */
  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Says that what was done in this round may soon have an answer, so that the next wait is one of `busyPoll`. */
  expectAnswer(): void {
    this.#expectsAnswer = true;
  }

  /** Calls `callback` once, when the events of this round are handled; at once where no round is. */
  afterRound(callback: () => void): void {
    if (this.#isInRound) this.#afterRound.push(callback);
    else callback();
  }

  /**
   * Handles events until `stop` is called or nothing is left to wait for. What a callback throws ends the round and comes
   * from here; the reactor can be run again then.
   */
  run(): void {
    this.#running = true;
    try {
      while (this.#running && (this.#registered > 0 || this.#deferred.length > 0)) {
        if (++this.#rounds === BUSY_AFTER) compileReadily();
        const deferred = this.#deferred;
        const count = deferred.length > 0 ? this.#fetch(0) : this.#wait();
        if (this.#paused.length > 0 && performance.now() >= this.#goOnAt) this.#goOnWithPaused();
        if (count === -Errno.EINTR) continue;
        this.#handle(check(count, "wait for events"), deferred);
        if (this.#afterRound.length > 0) this.#finishRound();
      }
    } finally {
      this.#running = false;
    }
  }

  #handle(count: number, deferred: (() => void)[]): void {
    const { view } = this.#events;
    this.#isInRound = true;
    try {
      for (let index = 0; index < count; index++) {
        const offset = index * EVENT_SIZE;
        const registration = this.#registrations[view.getInt32(offset + EVENT_DATA, true)];
        if (registration?.generation !== view.getInt32(offset + EVENT_DATA + 4, true)) continue;
        registration.callback(view.getUint32(offset, true));
      }
      if (deferred.length > 0) {
        this.#deferred = [];
        for (const callback of deferred) callback();
      }
    } finally {
      this.#isInRound = false;
    }
  }

  #wait(): number {
    if (this.#paused.length > 0) return this.#fetch(PAUSE);
    if (this.busyPoll === undefined || !this.#expectsAnswer) return this.#fetch(-1);
    this.#expectsAnswer = false;
    return this.busyPoll.wait(this.#fetch);
  }

  #finishRound(): void {
    const callbacks = this.#afterRound;
    this.#afterRound = [];
    for (const callback of callbacks) callback();
  }

  /** Makes `run` return after the events of the current round. */
  stop(): void {
    this.#running = false;
  }

  [Symbol.dispose](): void {
    this.#epoll.close();
  }
}

/**
 * A descriptor that becomes readable (IN) when the process has ended; pidfd_open(2).
 * @param pid a child that has not been waited for, so that the number cannot have been given to another process
 */
export function openProcess(pid: number): FileDescriptor {
  return new FileDescriptor(check(systemCall(SystemCall.pidfd_open, pid, 0), "open process", String(pid)));
}

/** A timer whose descriptor becomes readable when it expires; timerfd_create(2), on the monotonic clock. */
export class Timer implements Disposable {
  readonly descriptor = new FileDescriptor(
    check(systemCall(SystemCall.timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "make a timer"),
  );
  readonly #specification = allocate(32);

  /**
   * Starts the timer anew.
   * @param first milliseconds until it expires; 0 disarms it
   * @param interval milliseconds between the following expirations; 0 for a single one
   */
  start(first: number, interval = 0): void {
    const { view, address } = this.#specification;
    [interval, first].forEach((milliseconds, index) => {
      const nanoseconds = Math.round(milliseconds * 1e6);
      view.setBigInt64(16 * index, BigInt(Math.floor(nanoseconds / 1e9)), true);
      view.setBigInt64(16 * index + 8, BigInt(nanoseconds % 1e9), true);
    });
    check(systemCall(SystemCall.timerfd_settime, this.descriptor.number, 0, address, 0), "start a timer");
  }

  /**
   * Takes note of the expirations so far, so that the descriptor is no longer readable.
   * @returns how many there were: 0 when the timer was started anew between its event and now
   */
  acknowledge(): number {
    const { view, address } = this.#specification;
    const result = systemCall(SystemCall.read, this.descriptor.number, address, 8);
    if (result === -Errno.EAGAIN) return 0;
    check(result, "read a timer");
    return Number(view.getBigUint64(0, true));
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}

/**
 * Signals as events of a descriptor; signalfd(2). It sees the signals only if every thread of the process blocks them,
 * which holds when the program was started with them blocked: a process that sets the mask itself is too late, since
 * Bun's helper threads exist before the first line of JavaScript runs. A process started by hand uses `SignalPipe`.
 */
export class SignalDescriptor implements Disposable {
  readonly descriptor: FileDescriptor;
  readonly #information = allocate(SIGNAL_INFORMATION_SIZE);

  /** @param signals the numbers of the signals to block on this thread and to receive here */
  constructor(signals: readonly number[]) {
    const mask = allocate(8);
    const bits = signals.reduce((all, signal) => all | (1n << BigInt(signal - 1)), 0n);
    mask.view.setBigUint64(0, bits, true);
    const SIG_BLOCK = 0;
    check(systemCall(SystemCall.rt_sigprocmask, SIG_BLOCK, mask.address, 0, 8), "block signals");
    this.descriptor = new FileDescriptor(
      check(
        systemCall(SystemCall.signalfd4, -1, mask.address, 8, SFD_CLOEXEC | SFD_NONBLOCK),
        "make a signal descriptor",
      ),
    );
  }

  /** The next pending signal's number, or undefined when there is none. */
  next(): number | undefined {
    const { address, view } = this.#information;
    const result = systemCall(SystemCall.read, this.descriptor.number, address, SIGNAL_INFORMATION_SIZE);
    if (result === -Errno.EAGAIN) return undefined;
    check(result, "read a signal");
    return view.getUint32(0, true);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}
