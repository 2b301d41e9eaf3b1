/*
 * What the container has sent and the host's socket has not taken yet: the slots that the frames were read into, as
 * they are. Nearly always it is empty, because the socket takes a segment straight from where it was read to.
 *
 * Many small segments must not take a slot of 64 KiB each: one that fits behind the last is copied there.
 */
import { Errno } from "../../sys/errno.ts";
import { send, sendUrgent } from "../../sys/internet-socket.ts";
import type { FramePool } from "../frame-pool.ts";
import { NO_SLOT, SLOT_SIZE } from "../frame-pool.ts";

/** Longer segments are not copied, they are worth a slot. */
const COPIED_LENGTH = 8192;

export class ReceiveQueue {
  readonly #pool: FramePool;
  #first = NO_SLOT;
  #last = NO_SLOT;
  #bytes = 0;
  /** Of the last byte that is urgent, counted from the first byte in the queue; 0 for none. */
  #urgentEnd = 0;

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Says that the last byte that was appended is urgent. */
  markUrgent(): void {
    this.#urgentEnd = this.#bytes;
  }

  /**
   * Appends data.
   * @param slot that it lies in
   * @param start and `length`: where, in the pool's memory
   * @returns `kept`: the slot is the queue's now; `copied`: it is still the caller's; `full`: there is no memory
   */
  push(slot: number, start: number, length: number): "kept" | "copied" | "full" {
    const pool = this.#pool;
    const last = this.#last;
    if (last !== NO_SLOT && length <= COPIED_LENGTH) {
      const end = (pool.start[last] ?? 0) + (pool.length[last] ?? 0);
      if (end + length <= pool.offsetOf(last) + SLOT_SIZE) {
        pool.memory.buffer.copyWithin(end, start, start + length);
        pool.length[last] = (pool.length[last] ?? 0) + length;
        this.#bytes += length;
        return "copied";
      }
    }
    if (pool.available === 0) return "full";
    pool.start[slot] = start;
    pool.length[slot] = length;
    pool.next[slot] = NO_SLOT;
    if (last === NO_SLOT) this.#first = slot;
    else pool.next[last] = slot;
    this.#last = slot;
    this.#bytes += length;
    return "kept";
  }

  /**
   * Gives the socket as much as it takes.
   * @returns 0 when the queue is empty, otherwise the negated error number: EAGAIN when the socket takes no more
   */
  drain(socket: number): number {
    const pool = this.#pool;
    while (this.#first !== NO_SLOT) {
      const slot = this.#first;
      const start = pool.start[slot] ?? 0;
      const available = pool.length[slot] ?? 0;
      const isUrgent = this.#urgentEnd > 0 && this.#urgentEnd <= available;
      const length = isUrgent ? this.#urgentEnd : available;
      const address = pool.memory.address + start;
      const sent = isUrgent ? sendUrgent(socket, address, length) : send(socket, address, length);
      if (sent < 0) return sent;
      this.#bytes -= sent;
      this.#urgentEnd = Math.max(this.#urgentEnd - sent, 0);
      if (sent < available) {
        pool.start[slot] = start + sent;
        pool.length[slot] = available - sent;
        if (sent < length) return -Errno.EAGAIN;
      } else this.#removeFirst();
    }
    return 0;
  }

  clear(): void {
    while (this.#first !== NO_SLOT) this.#removeFirst();
    this.#bytes = 0;
  }

  #removeFirst(): void {
    const slot = this.#first;
    this.#first = this.#pool.next[slot] ?? NO_SLOT;
    if (this.#first === NO_SLOT) this.#last = NO_SLOT;
    this.#pool.free(slot);
  }
}
