/*
 * What has been sent to the container and is not acknowledged: slots in the order of their sequence numbers. It is the
 * only copy that the stack keeps of the payload, and it is kept because a segment may get lost.
 */
import type { FramePool } from "../frame-pool.ts";
import { NO_SLOT } from "../frame-pool.ts";

export class SendQueue {
  readonly #pool: FramePool;
  #first = NO_SLOT;
  #last = NO_SLOT;
  #count = 0;

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** How many slots it holds. */
  get count(): number {
    return this.#count;
  }

  /** The first slot, or NO_SLOT. */
  get first(): number {
    return this.#first;
  }

  /** Appends a slot whose description in the pool is complete. */
  push(slot: number): void {
    const { next } = this.#pool;
    next[slot] = NO_SLOT;
    if (this.#last === NO_SLOT) this.#first = slot;
    else next[this.#last] = slot;
    this.#last = slot;
    this.#count++;
  }

  /** Frees what lies before a sequence number; a slot that is acknowledged in part begins with the rest. */
  acknowledge(sequence: number): void {
    const pool = this.#pool;
    while (this.#first !== NO_SLOT) {
      const slot = this.#first;
      const acknowledged = (sequence - (pool.sequence[slot] ?? 0)) | 0;
      const length = pool.length[slot] ?? 0;
      if (acknowledged <= 0) return;
      if (acknowledged < length) {
        pool.start[slot] = (pool.start[slot] ?? 0) + acknowledged;
        pool.length[slot] = length - acknowledged;
        pool.sequence[slot] = sequence;
        return;
      }
      this.#removeFirst();
    }
  }

  clear(): void {
    while (this.#first !== NO_SLOT) this.#removeFirst();
  }

  #removeFirst(): void {
    const slot = this.#first;
    this.#first = this.#pool.next[slot] ?? NO_SLOT;
    if (this.#first === NO_SLOT) this.#last = NO_SLOT;
    this.#pool.free(slot);
    this.#count--;
  }
}
