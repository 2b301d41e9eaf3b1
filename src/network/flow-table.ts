/*
 * Flows by their addresses and ports: a hash table whose buckets are linked through the flows themselves, so that
 * finding one allocates nothing. The hash is keyed by a number of the process's own, since a container chooses ports
 * and addresses.
 */
import { fullGC } from "bun:jsc";
import type { Address } from "../sys/internet-socket.ts";
import type { Packet } from "./packet.ts";

const INITIAL_BUCKETS = 256;
/**
 * How many flows' remains may lie about, at 1 KB each. The garbage collector counts the pool of frames as if all of it were
 * in use, more than 100 MB, and would not begin before there is as much garbage: a hundred thousand flows.
 */
const MOST_REMAINS = 16_384;
/** How many are worth the milliseconds of a collection when there is nothing else to do. */
const MANY_REMAINS = 512;

/** What a flow in a table has; `inside` is the container's end, `outside` the other as the container sees it. */
export interface TableEntry<Self> {
  readonly protocol: number;
  readonly inside: Address;
  readonly insidePort: number;
  readonly outside: Address;
  readonly outsidePort: number;
  /** The table's own. */
  hash: number;
  nextInBucket: Self | undefined;
}

const KEY = (Math.random() * 2 ** 32) | 0;

function mix(hash: number, word: number): number {
  hash = Math.imul(hash ^ word, 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

function hashOf(inside: Address, insidePort: number, outside: Address, outsidePort: number, protocol: number): number {
  let hash = mix(KEY, (insidePort << 16) | outsidePort);
  for (let word = 0; word < 4; word++) hash = mix(mix(hash, inside[word] ?? 0), outside[word] ?? 0);
  return mix(hash, protocol) >>> 0;
}

export class FlowTable<Flow extends TableEntry<Flow>> {
  #buckets = new Array<Flow | undefined>(INITIAL_BUCKETS).fill(undefined);
  #size = 0;
  #remains = 0;

  get size(): number {
    return this.#size;
  }

  /** The flow that a packet from the container belongs to. */
  findFor(packet: Packet, insidePort: number, outsidePort: number): Flow | undefined {
    let hash = mix(KEY, (insidePort << 16) | outsidePort);
    hash = mix(mix(hash, packet.source0), packet.destination0);
    hash = mix(mix(hash, packet.source1), packet.destination1);
    hash = mix(mix(hash, packet.source2), packet.destination2);
    hash = mix(mix(hash, packet.source3), packet.destination3);
    hash = mix(hash, packet.protocol) >>> 0;
    let flow = this.#buckets[hash & (this.#buckets.length - 1)];
    while (flow !== undefined) {
      if (
        flow.hash === hash &&
        flow.insidePort === insidePort &&
        flow.outsidePort === outsidePort &&
        flow.outside[3] === packet.destination3 &&
        flow.inside[3] === packet.source3 &&
        flow.outside[0] === packet.destination0 &&
        flow.outside[1] === packet.destination1 &&
        flow.outside[2] === packet.destination2 &&
        flow.inside[0] === packet.source0 &&
        flow.inside[1] === packet.source1 &&
        flow.inside[2] === packet.source2 &&
        flow.protocol === packet.protocol
      ) {
        return flow;
      }
      flow = flow.nextInBucket;
    }
    return undefined;
  }

  /** The flow with these ends. */
  find(protocol: number, inside: Address, insidePort: number, outside: Address, outsidePort: number): Flow | undefined {
    const hash = hashOf(inside, insidePort, outside, outsidePort, protocol);
    let flow = this.#buckets[hash & (this.#buckets.length - 1)];
    while (flow !== undefined) {
      const isSame =
        flow.hash === hash &&
        flow.protocol === protocol &&
        flow.insidePort === insidePort &&
        flow.outsidePort === outsidePort &&
        flow.inside.every((word, index) => word === inside[index]) &&
        flow.outside.every((word, index) => word === outside[index]);
      if (isSame) return flow;
      flow = flow.nextInBucket;
    }
    return undefined;
  }

  /** Takes a flow in, whose ends no other has. */
  add(flow: Flow): void {
    flow.hash = hashOf(flow.inside, flow.insidePort, flow.outside, flow.outsidePort, flow.protocol);
    if (this.#size >= this.#buckets.length) this.#resize(this.#buckets.length * 4);
    this.#link(flow);
    this.#size++;
  }

  remove(flow: Flow): void {
    const index = flow.hash & (this.#buckets.length - 1);
    let before: Flow | undefined;
    for (let entry = this.#buckets[index]; entry !== undefined; entry = entry.nextInBucket) {
      if (entry === flow) {
        if (before === undefined) this.#buckets[index] = flow.nextInBucket;
        else before.nextInBucket = flow.nextInBucket;
        flow.nextInBucket = undefined;
        this.#size--;
        if (++this.#remains >= MOST_REMAINS) this.collectRemains();
        // A burst of flows is not paid for ever after.
        if (this.#size === 0 && this.#buckets.length > INITIAL_BUCKETS) this.#resize(INITIAL_BUCKETS);
        return;
      }
      before = entry;
    }
  }

  /** Frees the memory of flows that were removed. */
  collectRemains(): void {
    if (this.#remains < MANY_REMAINS) return;
    this.#remains = 0;
    // A collection of the young ones (edenGC) was seen to free none of them.
    fullGC();
  }

  /** All flows, as they are now. */
  all(): Flow[] {
    const flows: Flow[] = [];
    for (let entry of this.#buckets) {
      for (; entry !== undefined; entry = entry.nextInBucket) flows.push(entry);
    }
    return flows;
  }

  #link(flow: Flow): void {
    const index = flow.hash & (this.#buckets.length - 1);
    flow.nextInBucket = this.#buckets[index];
    this.#buckets[index] = flow;
  }

  #resize(count: number): void {
    const flows = this.all();
    this.#buckets = new Array<Flow | undefined>(count).fill(undefined);
    for (const flow of flows) this.#link(flow);
  }
}
