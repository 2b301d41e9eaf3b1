/*
 * Copies bytes from one descriptor to another inside a reactor, without ever waiting for one of them.
 *
 * Where the kernel can move pages (one side is a pipe, the other not a terminal), splice(2) does it and the bytes never
 * enter this process; otherwise they pass through one buffer. A pump watches one side at a time: the source while there
 * is nothing to write, the destination while it takes no more. That is also the back-pressure: while the destination is
 * full the source is left alone and fills up. A side that epoll refuses (a regular file) counts as always ready. A
 * source that cannot be made non-blocking is read once each time that it is ready.
 */
import { Errno } from "./errno.ts";
import { allocate, type Memory } from "./memory.ts";
import { Event, type Reactor } from "./reactor.ts";
import { SystemCall, systemCall } from "./system-call.ts";

const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_SIZE = 1 << 20;
const BUFFER_SIZE = 1 << 16;
const FILTER_ROOM = 256;
/** After so many rounds the reactor's other descriptors get their turn. */
const ROUNDS = 16;

/** How a pump came to its end: the source had no more, one side refused (positive errno), or the filter ended it. */
export interface PumpEnd {
  readonly isEndedByFilter?: boolean;
  readonly sourceError: number | undefined;
  readonly destinationError: number | undefined;
}

/** Copies until the source ends; see the head of this file. The destination should not block. */
export class Pump {
  readonly #reactor: Reactor;
  readonly #source: number;
  readonly #destination: number;
  readonly #mayBlock: boolean;
  readonly #onEnd: (end: PumpEnd) => void;
  readonly #filter: ((bytes: Buffer) => Buffer | undefined) | undefined;
  #buffer: Memory | undefined;
  #start = 0;
  #length = 0;
  #watching: "source" | "destination" | "nothing" = "nothing";
  #ended = false;

  /**
   * @param sides the two descriptors; `mayBlock` says that the source is a blocking one
   * @param filter gives what is to be written instead of what was read, at most `FILTER_ROOM` bytes more, or undefined to
   * end the copying
   */
  constructor(
    reactor: Reactor,
    sides: { readonly source: number; readonly destination: number; readonly mayBlock?: boolean },
    onEnd: (end: PumpEnd) => void,
    filter?: (bytes: Buffer) => Buffer | undefined,
  ) {
    this.#reactor = reactor;
    this.#source = sides.source;
    this.#destination = sides.destination;
    this.#mayBlock = sides.mayBlock ?? false;
    this.#onEnd = onEnd;
    this.#filter = filter;
    if (filter !== undefined) this.#buffer = allocate(BUFFER_SIZE);
    this.#await("source");
  }

  /** Copies what can be copied now without waiting, then stops. */
  finish(): void {
    while (!this.#ended && this.#copy() === "more");
    this.stop();
  }

  /** Stops without calling `onEnd`. */
  stop(): void {
    this.#unwatch();
    this.#ended = true;
  }

  #unwatch(): void {
    if (this.#watching === "source") this.#reactor.remove(this.#source);
    else if (this.#watching === "destination") this.#reactor.remove(this.#destination);
    this.#watching = "nothing";
  }

  /** Watches a side; where epoll refuses because it is always ready, watches the other one. */
  #await(side: "source" | "destination"): void {
    if (this.#watching === side) return;
    this.#unwatch();
    const turn = () => this.#turn();
    const sides = side === "source" ? (["source", "destination"] as const) : (["destination", "source"] as const);
    for (const candidate of sides) {
      const isSource = candidate === "source";
      const descriptor = isSource ? this.#source : this.#destination;
      if (this.#reactor.add(descriptor, isSource ? Event.IN : Event.OUT, turn)) {
        this.#watching = candidate;
        return;
      }
    }
  }

  #turn(): void {
    for (let round = 0; round < ROUNDS; round++) {
      const state = this.#copy();
      if (this.#ended) return;
      if (state === "more" && !(this.#mayBlock && this.#length === 0)) continue;
      this.#await(state === "more" ? "source" : state);
      return;
    }
  }

  #end(sourceError: number | undefined, destinationError: number | undefined): "more" {
    this.stop();
    this.#onEnd({ sourceError, destinationError });
    return "more";
  }

  /** One step. Returns which side to wait for before the next. */
  #copy(): "more" | "source" | "destination" {
    if (this.#buffer !== undefined) return this.#copyThroughBuffer(this.#buffer);
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const count = systemCall(SystemCall.splice, this.#source, 0, this.#destination, 0, SPLICE_SIZE, flags);
    if (count > 0) return "more";
    if (count === 0) return this.#end(undefined, undefined);
    // Woken by one side and still not able to: the other side is the one to wait for.
    if (count === -Errno.EAGAIN) return this.#watching === "source" ? "destination" : "source";
    if (count === -Errno.EINTR) return "source";
    if (count === -Errno.EPIPE) return this.#end(undefined, -count);
    this.#buffer = allocate(BUFFER_SIZE);
    return "more";
  }

  #copyThroughBuffer(buffer: Memory): "more" | "source" | "destination" {
    if (this.#length === 0) {
      const room = this.#filter === undefined ? BUFFER_SIZE : BUFFER_SIZE - FILTER_ROOM;
      const count = systemCall(SystemCall.read, this.#source, buffer.address, room);
      if (count === -Errno.EAGAIN || count === -Errno.EINTR) return "source";
      if (count <= 0) return this.#end(count === 0 ? undefined : -count, undefined);
      this.#start = 0;
      this.#length = count;
      if (this.#filter !== undefined) {
        const passed = this.#filter(buffer.buffer.subarray(0, count));
        if (passed === undefined) {
          this.stop();
          this.#onEnd({ sourceError: undefined, destinationError: undefined, isEndedByFilter: true });
          return "more";
        }
        passed.copy(buffer.buffer);
        this.#length = passed.length;
        if (passed.length === 0) return "source";
      }
    }
    const count = systemCall(SystemCall.write, this.#destination, buffer.address + this.#start, this.#length);
    if (count === -Errno.EAGAIN) return "destination";
    if (count === -Errno.EINTR) return "destination";
    if (count < 0) return this.#end(undefined, -count);
    this.#start += count;
    this.#length -= count;
    return "more";
  }
}
