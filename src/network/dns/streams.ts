/* All connections of a container's to its resolver; see stream.ts. */
import { allocate } from "../../sys/memory.ts";
import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { Egress } from "../egress.ts";
import type { FramePool } from "../frame-pool.ts";
import { TICK } from "./asking.ts";
import type { LocalNames } from "./local-names.ts";
import type { Resolvers } from "./resolvers.ts";
import { DnsStream, type DnsStreamServices } from "./stream.ts";

/** Each may hold two slots of memory and three descriptors. */
const MAXIMUM_STREAMS = 64;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

export class DnsStreams implements DnsStreamServices, Disposable {
  readonly reactor: Reactor;
  readonly pool: FramePool;
  readonly resolvers: Pick<Resolvers, "current" | "failed">;
  readonly names: LocalNames | undefined;
  readonly egress: Egress;
  readonly #streams = new Set<DnsStream>();
  readonly #timer = new Timer();
  readonly #pair = allocate(8);
  #isTicking = false;

  constructor({
    reactor,
    pool,
    resolvers,
    names,
    egress,
  }: Pick<DnsStreamServices, "reactor" | "pool" | "resolvers" | "names" | "egress">) {
    this.reactor = reactor;
    this.pool = pool;
    this.resolvers = resolvers;
    this.names = names;
    this.egress = egress;
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#tick());
  }

  /**
   * Begins a connection. The oldest one ends for it when there are too many.
   * @returns the client's end, which is the caller's to close, or the negated error number
   */
  open(): number {
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const result = systemCall(SystemCall.socketpair, AF_UNIX, type, 0, this.#pair.address);
    if (result < 0) return result;
    const [oldest] = this.#streams.size >= MAXIMUM_STREAMS ? this.#streams : [];
    oldest?.close();
    this.#streams.add(new DnsStream(this, this.#pair.view.getInt32(4, true)));
    return this.#pair.view.getInt32(0, true);
  }

  startTimer(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#timer.start(TICK, TICK);
  }

  closed(stream: DnsStream): void {
    this.#streams.delete(stream);
  }

  #tick(): void {
    this.#timer.acknowledge();
    const now = performance.now();
    let isAsking = false;
    for (const stream of this.#streams) {
      stream.tick(now);
      isAsking ||= stream.isAsking;
    }
    if (isAsking) return;
    this.#isTicking = false;
    this.#timer.start(0);
  }

  /** Ends all of them. */
  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.close();
    this.reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
  }
}
