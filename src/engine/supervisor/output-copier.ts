/*
 * One of a container's outputs: read once, logged, and written to everybody who is attached to it.
 *
 * Whoever is attached gets every byte. A pipe that is full holds the rest of one piece back, and as long as one does the
 * container's output is left alone, so that it fills up and the container waits; as with a terminal that is stopped. Once
 * the container has ended nobody can be made to wait any more: then all that is left, at most what a pipe holds, is read
 * and logged at once, and those who are slow get it as they take it.
 */
import { setBlocking } from "../../sys/blocking.ts";
import { Errno } from "../../sys/errno.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Memory } from "../../sys/memory.ts";
import { poll } from "../../sys/poll.ts";
import { Event, type Reactor } from "../../sys/reactor.ts";
import { mapMemory, SystemCall, systemCall } from "../../sys/system-call.ts";

const BUFFER_SIZE = 65536;
/** After so many pieces the reactor's other descriptors get their turn. */
const ROUNDS = 16;

interface Sink {
  readonly descriptor: FileDescriptor;
  /** What it has not taken yet. */
  waiting: Buffer[];
}

let shared: Memory | undefined;

/** Copies one output to the log and to sinks; see the head of this file. */
export class OutputCopier {
  readonly #reactor: Reactor;
  readonly #source: FileDescriptor;
  readonly #log: ((bytes: Buffer) => void) | undefined;
  readonly #onChange: () => void;
  readonly #sinks = new Set<Sink>();
  #isPaused = false;
  #ended = false;

  /**
   * @param source non-blocking, and the copier's from now on
   * @param onChange called when the source has ended and whenever a sink has gone
   */
  constructor(
    reactor: Reactor,
    source: FileDescriptor,
    log: ((bytes: Buffer) => void) | undefined,
    onChange: () => void,
  ) {
    this.#reactor = reactor;
    this.#source = source;
    this.#log = log;
    this.#onChange = onChange;
    reactor.add(source.number, Event.IN, () => this.#turn());
  }

  /** Whether all has been read. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Whether somebody has still to take something. */
  get hasWaiting(): boolean {
    return this.#sinks.size > 0;
  }

  /** Writes everything from now on to a pipe too, which is the copier's from now on. */
  attach(descriptor: FileDescriptor): void {
    if (this.#ended) {
      descriptor.close();
      return;
    }
    setBlocking(descriptor.number, false);
    this.#sinks.add({ descriptor, waiting: [] });
  }

  /** Closes the source unless somebody is attached: whoever writes to it learns that nobody reads. */
  closeIfUnread(): void {
    // Who asks for it has gone already, but that shows only at the next write, and the source may come after the question.
    const sinks = [...this.#sinks];
    const events = poll(
      sinks.map(({ descriptor }) => descriptor.number),
      0,
    );
    for (const [index, sink] of sinks.entries()) if (((events[index] ?? 0) & Event.ERR) !== 0) this.#drop(sink);
    if (this.#sinks.size === 0) this.#end();
  }

  /** Reads what there is, whoever waits, because no more is to come. */
  finish(): void {
    while (!this.#ended && this.#copy(true));
    this.#end();
  }

  #turn(): void {
    for (let round = 0; round < ROUNDS && !this.#ended && !this.#isPaused; round++) if (!this.#copy()) return;
  }

  /**
   * Copies one piece. Returns whether there may be more.
   * @param isLast whether nobody looks for more afterwards
   */
  #copy(isLast = false): boolean {
    shared ??= mapMemory(BUFFER_SIZE, "private");
    const count = systemCall(SystemCall.read, this.#source.number, shared.address, BUFFER_SIZE);
    if (count === -Errno.EAGAIN || count === -Errno.EINTR) return false;
    // EIO: a terminal that nobody has open any more.
    if (count <= 0) {
      this.#end();
      return false;
    }
    for (const sink of this.#sinks) this.#give(sink, shared, count);
    this.#log?.(shared.buffer.subarray(0, count));
    // Less than was asked for is most often all: to ask again only to be told so costs as much as a piece does.
    return count === BUFFER_SIZE || isLast;
  }

  #give(sink: Sink, piece: Memory, count: number): void {
    let written = 0;
    if (sink.waiting.length === 0) {
      const result = systemCall(SystemCall.write, sink.descriptor.number, piece.address, count);
      if (result < 0 && result !== -Errno.EAGAIN) {
        this.#drop(sink);
        return;
      }
      written = Math.max(result, 0);
      if (written === count) return;
      this.#reactor.add(sink.descriptor.number, Event.OUT, () => this.#drain(sink));
      this.#pause(true);
    }
    sink.waiting.push(Buffer.from(piece.buffer.subarray(written, count)));
  }

  #drain(sink: Sink): void {
    shared ??= mapMemory(BUFFER_SIZE, "private");
    for (let first = sink.waiting[0]; first !== undefined; first = sink.waiting[0]) {
      first.copy(shared.buffer);
      const result = systemCall(SystemCall.write, sink.descriptor.number, shared.address, first.length);
      if (result === -Errno.EAGAIN) return;
      if (result < 0) {
        this.#drop(sink);
        return;
      }
      if (result < first.length) sink.waiting[0] = first.subarray(result);
      else sink.waiting.shift();
    }
    this.#reactor.remove(sink.descriptor.number);
    if (this.#ended) this.#drop(sink);
    else this.#pauseWhileSomebodyWaits();
  }

  #drop(sink: Sink): void {
    this.#reactor.remove(sink.descriptor.number);
    sink.descriptor.close();
    this.#sinks.delete(sink);
    this.#pauseWhileSomebodyWaits();
    this.#onChange();
  }

  #pauseWhileSomebodyWaits(): void {
    this.#pause([...this.#sinks].some(({ waiting }) => waiting.length > 0));
  }

  #pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused || this.#ended) return;
    this.#isPaused = isPaused;
    // Unregistered rather than masked: a source whose other end has gone would report that again and again.
    if (isPaused) this.#reactor.remove(this.#source.number);
    else this.#reactor.add(this.#source.number, Event.IN, () => this.#turn());
  }

  #end(): void {
    if (this.#ended) return;
    this.#reactor.remove(this.#source.number);
    this.#source.close();
    this.#ended = true;
    for (const sink of [...this.#sinks]) if (sink.waiting.length === 0) this.#drop(sink);
    this.#onChange();
  }
}
