/*
 * Segments of the container's that have come before what precedes them. The link itself keeps the order, but what a
 * program puts in between may not, and with neither selective acknowledgements nor timestamps a sender of Linux takes
 * long to get over segments that it has to send again. They wait in the slots that they came in, a bounded number of them
 * and only while memory is plentiful; one that does not find a place will be sent again.
 */
import type { FramePool } from "../frame-pool.ts";

const MAXIMUM_SEGMENTS = 64;

/** A segment's payload: where it lies, and the sequence number of its first byte. */
interface EarlySegment {
  readonly slot: number;
  readonly start: number;
  readonly length: number;
  readonly sequence: number;
}

export class EarlySegments {
  readonly #pool: FramePool;
  /** In the order of their sequence numbers. */
  readonly #segments: EarlySegment[] = [];

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /**
   * Keeps a segment.
   * @returns whether its slot is kept
   */
  hold(segment: EarlySegment): boolean {
    const { available, count } = this.#pool;
    if (this.#segments.length >= MAXIMUM_SEGMENTS || available < count >> 2) return false;
    const after = this.#segments.findIndex(({ sequence }) => ((sequence - segment.sequence) | 0) >= 0);
    const other = this.#segments[after];
    // Sent twice.
    if (other?.sequence === segment.sequence && other.length >= segment.length) return false;
    this.#segments.splice(after < 0 ? this.#segments.length : after, 0, segment);
    return true;
  }

  /**
   * Takes the segment that has the byte which is expected next; what lies wholly before it is dropped.
   * @returns it without what comes before that byte; its slot is the caller's to free
   */
  take(expected: number): EarlySegment | undefined {
    for (;;) {
      const [first] = this.#segments;
      const skipped = first === undefined ? -1 : (expected - first.sequence) | 0;
      if (first === undefined || skipped < 0) return undefined;
      this.#segments.shift();
      if (skipped < first.length) {
        const { slot, start, length } = first;
        return { slot, start: start + skipped, length: length - skipped, sequence: expected };
      }
      this.#pool.free(first.slot);
    }
  }

  clear(): void {
    for (const { slot } of this.#segments) this.#pool.free(slot);
    this.#segments.length = 0;
  }
}
