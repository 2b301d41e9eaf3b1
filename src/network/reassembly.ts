/*
 * Fragments, RFC 791 section 3.2 and RFC 8200 section 4.5.
 *
 * The container's kernel hardly sends any: only datagrams larger than its MTU, since TCP is not cut. What is put
 * together lies in a slot of its own, each fragment copied to its place, the first one's IP header before it; when no
 * hole is left the packet goes on as if it had come whole. A hostile container can hold at most `MAXIMUM_DATAGRAMS`
 * slots in this way: the oldest gives way, and everything incomplete is dropped after a time. Fragments that overlap
 * make the whole datagram invalid, as in Linux (RFC 5722): there is no honest reason for them.
 */

import { NETWORK_OFFSET } from "./ethernet.ts";
import type { FramePool } from "./frame-pool.ts";
import { NO_SLOT } from "./frame-pool.ts";
import type { Packet } from "./packet.ts";

const MAXIMUM_DATAGRAMS = 16;
const MAXIMUM_RANGES = 128;
const MAXIMUM_PAYLOAD = 65535;
/** Milliseconds after which an incomplete datagram is given up. */
const PATIENCE = 30_000;
/** Where the payload is put together in its slot: behind the longest IPv4 header. */
const PAYLOAD_OFFSET = NETWORK_OFFSET + 64;

/** What a packet says of itself as a fragment. */
export interface Fragment {
  readonly identification: number;
  /** Bytes of the IP header that the whole packet is to have, without what came between it and the payload. */
  readonly headerLength: number;
  /** Of its payload, in bytes. */
  readonly offset: number;
  readonly isLast: boolean;
}

interface Datagram {
  readonly slot: number;
  readonly deadline: number;
  /** Bytes of the IP header before the payload, 0 until the first fragment has come. */
  headerLength: number;
  protocol: number;
  /** Bytes of the whole payload, undefined until the last fragment has come. */
  total: number | undefined;
  /** Sorted, not overlapping: start and end. */
  readonly ranges: [number, number][];
}

export class Reassembly implements Disposable {
  readonly #pool: FramePool;
  readonly #datagrams = new Map<string, Datagram>();

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** How many datagrams are incomplete. */
  get size(): number {
    return this.#datagrams.size;
  }

  /**
   * Takes a fragment.
   * @param packet the packet that is one; when it completes a datagram, it becomes the whole packet, in another slot
   * that belongs to whoever handles it
   * @returns whether the datagram is complete
   */
  add(packet: Packet, fragment: Fragment): boolean {
    const length = packet.end - packet.transport;
    const end = fragment.offset + length;
    const key = `${packet.source} ${packet.destination} ${packet.version === 4 ? packet.protocol : ""} ${fragment.identification}`;
    // All but the last are in units of 8 bytes.
    if (length === 0 || end > MAXIMUM_PAYLOAD || (!fragment.isLast && (length & 7) !== 0)) {
      this.#drop(key);
      return false;
    }
    const datagram = this.#datagrams.get(key) ?? this.#begin(key);
    if (datagram === undefined) return false;
    const isConsistent = fragment.isLast
      ? datagram.total === undefined && !reaches(datagram, end)
      : fits(datagram, end);
    if (!isConsistent || !insert(datagram.ranges, fragment.offset, end)) {
      this.#drop(key);
      return false;
    }
    if (fragment.isLast) datagram.total = end;
    this.#copy(packet, fragment, datagram);
    const [whole] = datagram.ranges;
    if (datagram.ranges.length !== 1 || whole?.[0] !== 0 || whole[1] !== datagram.total) return false;
    this.#datagrams.delete(key);
    const payload = this.#pool.offsetOf(datagram.slot) + PAYLOAD_OFFSET;
    packet.slot = datagram.slot;
    packet.network = payload - datagram.headerLength;
    packet.transport = payload;
    packet.end = payload + datagram.total;
    packet.protocol = datagram.protocol;
    packet.isChecksumOffloaded = false;
    return true;
  }

  /** Gives up what has been incomplete for too long. */
  expire(now: number): void {
    for (const [key, { deadline }] of this.#datagrams) {
      if (deadline > now) return;
      this.#drop(key);
    }
  }

  [Symbol.dispose](): void {
    for (const key of this.#datagrams.keys()) this.#drop(key);
  }

  #begin(key: string): Datagram | undefined {
    if (this.#datagrams.size >= MAXIMUM_DATAGRAMS) {
      const [oldest] = this.#datagrams.keys();
      if (oldest !== undefined) this.#drop(oldest);
    }
    const slot = this.#pool.allocate();
    if (slot === NO_SLOT) return undefined;
    const deadline = performance.now() + PATIENCE;
    const datagram: Datagram = { slot, deadline, headerLength: 0, protocol: 0, total: undefined, ranges: [] };
    this.#datagrams.set(key, datagram);
    return datagram;
  }

  #copy(packet: Packet, { offset, headerLength }: Fragment, datagram: Datagram): void {
    const { buffer } = this.#pool.memory;
    const payload = this.#pool.offsetOf(datagram.slot) + PAYLOAD_OFFSET;
    buffer.copyWithin(payload + offset, packet.transport, packet.end);
    if (offset !== 0) return;
    datagram.headerLength = headerLength;
    datagram.protocol = packet.protocol;
    buffer.copyWithin(payload - headerLength, packet.network, packet.network + headerLength);
    if (packet.version === 6) buffer[payload - headerLength + 6] = packet.protocol;
  }

  #drop(key: string): void {
    const datagram = this.#datagrams.get(key);
    if (datagram === undefined) return;
    this.#datagrams.delete(key);
    this.#pool.free(datagram.slot);
  }
}

function reaches({ ranges }: Datagram, end: number): boolean {
  return (ranges.at(-1)?.[1] ?? 0) > end;
}

function fits({ total }: Datagram, end: number): boolean {
  return total === undefined || end <= total;
}

/** Puts a range into its place; false when it overlaps another or there are too many. */
function insert(ranges: [number, number][], start: number, end: number): boolean {
  let index = ranges.findIndex((range) => range[0] >= start);
  if (index < 0) index = ranges.length;
  const before = ranges[index - 1];
  const after = ranges[index];
  if ((before !== undefined && before[1] > start) || (after !== undefined && after[0] < end)) return false;
  const joinsBefore = before !== undefined && before[1] === start;
  const joinsAfter = after !== undefined && after[0] === end;
  if (joinsBefore && joinsAfter) {
    before[1] = after[1];
    ranges.splice(index, 1);
  } else if (joinsBefore) before[1] = end;
  else if (joinsAfter) after[0] = start;
  else if (ranges.length >= MAXIMUM_RANGES) return false;
  else ranges.splice(index, 0, [start, end]);
  return true;
}
