/*
 * Theory of operation: a container's traffic made slower and worse than it is (`--net-rate`, `--net-delay`, `--net-loss`),
 * for those who want to see how a program bears that, or to leave others their share.
 *
 * What the container sends is shaped where its frames are read, before anybody looks at them, so also what goes to other
 * containers. A rate is kept by not reading: frames then wait in the device's queue, the container's kernel notices, and
 * its programs wait, as before a slow line. A frame may go when anything is left of what the rate permits, and its length
 * is then taken off, so that large frames on slow lines leave a debt that is waited for. Frames that are held back for a
 * while stay in their slots, of which there are only so many, until their time has come; when too many wait, no more
 * are read. What is to be lost is dropped when it has been read.
 *
 * What comes from outside is only slowed down, and only where it is read from the host's sockets: of connections no more is
 * read than may pass, and so their senders are slowed down by TCP itself; datagrams are dropped as long as there is a debt.
 *
 * The rate holds for all devices of a container together, for each of the two directions.
 */
import { Event, type Reactor, Timer } from "../sys/reactor.ts";
import type { FramePool } from "./frame-pool.ts";

/** Frames that may be held back at a time. */
const MOST_HELD = 512;
/** Seconds of the rate that may be saved up: longer than between two looks at connections that wait (tcp.ts). */
const BURST_TIME = 0.06;
/** A few packets of Ethernet's size, since datagrams that come together are not kept for later. */
const SMALLEST_BURST = 6_000;
/** Bytes that are worth a read: a packet's. */
const SMALLEST_PART = 1_460;

/** How a container's traffic is to be. */
export interface ShapingRules {
  /** Bytes per second in each direction; undefined for as many as there can be. */
  readonly rate: number | undefined;
  /** Milliseconds that all it sends is held back. */
  readonly delay: number;
  /** The part of what it sends that gets lost, from 0 to 1. */
  readonly loss: number;
}

/** Bytes that may pass, more of them with time. */
export class ByteBudget {
  readonly #rate: number;
  readonly #burst: number;
  #bytes: number;
  #updated = performance.now();

  /** @param rate bytes per second */
  constructor(rate: number) {
    this.#rate = rate;
    this.#burst = Math.max(rate * BURST_TIME, SMALLEST_BURST);
    this.#bytes = this.#burst;
  }

  /** Milliseconds until something may pass; 0 for now. */
  wait(): number {
    const now = performance.now();
    this.#bytes = Math.min(this.#bytes + ((now - this.#updated) / 1000) * this.#rate, this.#burst);
    this.#updated = now;
    return this.#bytes > 0 ? 0 : Math.ceil((1 - this.#bytes) / (this.#rate / 1000));
  }

  /** How many bytes may pass now: as many as are left, or a packet's when that is less; 0 for none. */
  left(): number {
    return this.wait() > 0 ? 0 : Math.max(Math.floor(this.#bytes), SMALLEST_PART);
  }

  /** Takes off what has passed. */
  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The shaping of a container, which its devices have in common. */
export class Shaping {
  readonly delay: number;
  readonly loss: number;
  readonly outgoing: ByteBudget | undefined;
  readonly incoming: ByteBudget | undefined;

  constructor({ rate, delay, loss }: ShapingRules) {
    this.delay = delay;
    this.loss = loss;
    this.outgoing = rate === undefined ? undefined : new ByteBudget(rate);
    this.incoming = rate === undefined ? undefined : new ByteBudget(rate);
  }
}

interface HeldFrame {
  readonly slot: number;
  readonly length: number;
  /** When its time comes, on the clock of `performance.now`. */
  readonly due: number;
}

/** The frames of one device on their way through the shaping. */
export class ShapedFrames implements Disposable {
  readonly #reactor: Reactor;
  readonly #pool: FramePool;
  readonly #device: number;
  readonly #shaping: Shaping;
  readonly #onFrames: (frames: readonly { readonly slot: number; readonly length: number }[]) => void;
  readonly #timer = new Timer();
  /** In the order of their times. */
  #held: HeldFrame[] = [];
  #isPaused = false;

  /**
   * @param device whose frames they are; it is registered for Event.IN
   * @param onFrames called with frames whose time has come, whose slots are then the receiver's
   */
  constructor(
    reactor: Reactor,
    pool: FramePool,
    device: number,
    shaping: Shaping,
    onFrames: (frames: readonly { readonly slot: number; readonly length: number }[]) => void,
  ) {
    this.#reactor = reactor;
    this.#pool = pool;
    this.#device = device;
    this.#shaping = shaping;
    this.#onFrames = onFrames;
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#onTime());
  }

  /** Whether the next frame may be read; when not, the device is asked again later. */
  mayRead(): boolean {
    const wait = this.#shaping.outgoing?.wait() ?? 0;
    const isFull = this.#held.length >= MOST_HELD || (this.#held.length > 0 && this.#pool.available === 0);
    if (wait === 0 && !isFull) return true;
    this.#isPaused = true;
    this.#reactor.change(this.#device, 0);
    this.#startTimer(wait);
    return false;
  }

  /**
   * Takes a frame that was read.
   * @returns `now`: it goes on at once; `lost`: it is to be forgotten; `held`: its slot is kept until its time has come
   */
  take(slot: number, length: number): "now" | "lost" | "held" {
    const { outgoing, loss, delay } = this.#shaping;
    outgoing?.spend(length);
    if (loss > 0 && Math.random() < loss) return "lost";
    if (delay === 0) return "now";
    this.#held.push({ slot, length, due: performance.now() + delay });
    if (this.#held.length === 1) this.#startTimer(0);
    return "held";
  }

  /** Starts the timer for the next frame whose time comes, or for reading on. */
  #startTimer(wait: number): void {
    const [first] = this.#held;
    const untilDue = first === undefined ? Number.POSITIVE_INFINITY : first.due - performance.now();
    const next = Math.min(untilDue, wait > 0 ? wait : Number.POSITIVE_INFINITY);
    if (next !== Number.POSITIVE_INFINITY) this.#timer.start(Math.max(next, 0.01));
  }

  #onTime(): void {
    this.#timer.acknowledge();
    const now = performance.now();
    let count = 0;
    while (count < this.#held.length && (this.#held[count]?.due ?? now) <= now) count++;
    const due = this.#held.splice(0, count);
    if (due.length > 0) this.#onFrames(due);
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#reactor.change(this.#device, Event.IN);
    }
    this.#startTimer(0);
  }

  [Symbol.dispose](): void {
    for (const { slot } of this.#held) this.#pool.free(slot);
    this.#held = [];
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
  }
}
