/*
 * The memory of the stack.
 *
 * All payload that the stack holds lies in slots of one mapping: a frame just read from the container, data that a
 * host's socket does not take yet, data that the container has not acknowledged yet. JavaScript does not look into it;
 * it passes addresses to read(2), writev(2), send(2) and recv(2). Each slot has room for the largest frame that the
 * kernel makes with segmentation offload, 64 KiB, and a slot that holds little costs little: the mapping is only
 * address space until a page is touched.
 *
 * The number of slots bounds the stack's memory for all flows together. A few slots are reserved for reading frames,
 * so that acknowledgements, which set memory free, always get in. The free slots are a stack: the hottest memory is
 * used again first, and slots at its bottom have not been needed for the longest time. `trim` gives their pages back
 * to the kernel (madvise(2)) when the traffic is over.
 *
 * What a slot holds is described here too, in flat arrays, so that queues of slots are linked without an object each.
 */
import { type MappedMemory, mapMemory, SystemCall, systemCall } from "../sys/system-call.ts";

/** Bytes of a slot: a 64 KiB packet with the headers of the link before it, in whole pages. */
export const SLOT_SIZE = 17 * 4096;
const RESERVED_SLOTS = 4;
/** Slots whose pages stay when the stack is idle. */
const WARM_SLOTS = 2;
const MADV_DONTNEED = 4;

/** No slot. */
export const NO_SLOT = -1;

export class FramePool implements Disposable {
  readonly memory: MappedMemory;
  readonly view: DataView;
  /** How many slots there are. */
  readonly count: number;
  /** For the slots of a queue: the next one. */
  readonly next: Int32Array;
  /** Where in the pool's memory a slot's data begins, how many bytes they are, and the sequence number of the first. */
  readonly start: Int32Array;
  readonly length: Int32Array;
  readonly sequence: Uint32Array;
  readonly #free: Int32Array;
  readonly #touched: Uint8Array;
  #freeCount: number;

  /** @param size bytes that the slots may take together */
  constructor(size: number) {
    this.count = Math.max(Math.floor(size / SLOT_SIZE), 4 * RESERVED_SLOTS);
    this.memory = mapMemory(this.count * SLOT_SIZE, "private");
    this.view = this.memory.view;
    this.next = new Int32Array(this.count);
    this.start = new Int32Array(this.count);
    this.length = new Int32Array(this.count);
    this.sequence = new Uint32Array(this.count);
    this.#touched = new Uint8Array(this.count);
    // The first slot is on top.
    this.#free = Int32Array.from({ length: this.count }, (_, index) => this.count - 1 - index);
    this.#freeCount = this.count;
  }

  /** How many slots `allocate` can give. */
  get available(): number {
    return Math.max(this.#freeCount - RESERVED_SLOTS, 0);
  }

  /** How many slots are in use. */
  get used(): number {
    return this.count - this.#freeCount;
  }

  /** A slot, or NO_SLOT when only those for reading frames are left. */
  allocate(): number {
    return this.#freeCount > RESERVED_SLOTS ? this.allocateReserved() : NO_SLOT;
  }

  /** A slot for reading a frame; each caller holds one at a time and gives it away only when `available` is not 0. */
  allocateReserved(): number {
    if (this.#freeCount === 0) return NO_SLOT;
    const slot = this.#free[--this.#freeCount] ?? NO_SLOT;
    this.#touched[slot] = 1;
    return slot;
  }

  free(slot: number): void {
    this.#free[this.#freeCount++] = slot;
  }

  /** Where a slot begins in the pool's memory. */
  offsetOf(slot: number): number {
    return slot * SLOT_SIZE;
  }

  /** Whether `trim` would give anything back. */
  get isTrimmable(): boolean {
    for (let index = 0; index < this.#freeCount - WARM_SLOTS; index++) {
      if (this.#touched[this.#free[index] ?? 0] === 1) return true;
    }
    return false;
  }

  /** Gives the pages of the free slots back to the kernel, but for those that are used again first. */
  trim(): void {
    for (let index = 0; index < this.#freeCount - WARM_SLOTS; index++) {
      const slot = this.#free[index] ?? 0;
      if (this.#touched[slot] !== 1) continue;
      this.#touched[slot] = 0;
      systemCall(SystemCall.madvise, this.memory.address + this.offsetOf(slot), SLOT_SIZE, MADV_DONTNEED);
    }
  }

  [Symbol.dispose](): void {
    this.memory[Symbol.dispose]();
  }
}
