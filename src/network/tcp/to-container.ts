/*
 * Theory of operation: the direction from the host to the container of a TCP connection; see connection.ts. Sequence
 * numbers here are our own.
 *
 * As much is read from the socket as the container's window and the bounds of memory allow, a slot of up to 64 KiB at a
 * time, and each slot is one segment (which the kernel may take for many, see link.ts). It stays in `SendQueue` until it is
 * acknowledged. When the window is used up the socket is not read: its buffer fills, and the host's TCP makes the world
 * wait. Lost segments are sent again after three duplicate acknowledgements, then one for each acknowledgement that only
 * covers a part (RFC 6582), or when a timer of the connection's expires.
 */
import { Errno } from "../../sys/errno.ts";
import { isAtUrgentMark, receive } from "../../sys/internet-socket.ts";
import { NO_SLOT } from "../frame-pool.ts";
import type { ConnectionOfDirection } from "./connection-of-direction.ts";
import { MAXIMUM_PAYLOAD, type Segment, TcpFlag } from "./segment.ts";
import { SendQueue } from "./send-queue.ts";
import type { TcpServices } from "./services.ts";

const { FIN, PSH, ACK, URG } = TcpFlag;

/** The most that is on its way to the container, in bytes. */
const MAXIMUM_WINDOW = 4 << 20;
/**
 * Slots of a connection that are not acknowledged. A megabyte is more than the link ever holds on its way; more would
 * only wait in the container's memory, and be copied there from memory that no processor has at hand any more.
 */
const MAXIMUM_SLOTS = 16;
/** Reads from a socket in one go, before others have their turn. */
const READS_PER_TURN = 16;

export class ToContainer {
  /** The number of our SYN. */
  readonly initialSequence: number;
  /** The next byte's number, and that of the first that is not acknowledged. */
  next: number;
  unacknowledged: number;
  /** How many bytes the container takes behind that one. */
  window = 0;
  /** The most payload that the container takes in a segment. */
  maximumSegmentSize = 536;
  finSent = false;
  /** Whether there may be something to read. */
  isReadable = false;
  /** Whether the socket's end has come, so that it has to be read up to it. */
  isEnding = false;
  isUrgentAhead = false;
  /** How many bytes were sent. */
  bytes = 0;
  readonly #connection: ConnectionOfDirection;
  readonly #services: TcpServices;
  readonly #queue: SendQueue;
  /** How far the container's windows are shifted. */
  #scale = 0;
  #chunk = MAXIMUM_PAYLOAD;
  #duplicates = 0;
  /** Where the retransmission after a loss is over. */
  #recoverUntil: number | undefined = undefined;
  #isDeferred = false;

  constructor(connection: ConnectionOfDirection, services: TcpServices) {
    this.#connection = connection;
    this.#services = services;
    this.#queue = new SendQueue(services.pool);
    this.initialSequence = services.initialSequence();
    this.next = this.unacknowledged = this.initialSequence;
  }

  /** Takes the options and the window of the container's SYN. */
  begin(window: number, scale: number, maximumSegmentSize: number): void {
    this.window = window;
    this.#scale = scale;
    this.maximumSegmentSize = maximumSegmentSize;
    // Whole segments, so that none is small without need.
    const whole = MAXIMUM_PAYLOAD - (MAXIMUM_PAYLOAD % maximumSegmentSize);
    this.#chunk = whole > 0 ? whole : MAXIMUM_PAYLOAD;
  }

  /** Goes on behind our own SYN. */
  skipSyn(): void {
    this.next = (this.initialSequence + 1) >>> 0;
  }

  /** Whether everything was acknowledged, also a FIN. */
  get isAcknowledged(): boolean {
    return this.unacknowledged === this.next;
  }

  /**
   * Takes the acknowledgement and window of a segment.
   * @returns how many bytes were acknowledged by it; negative for an old one
   */
  acknowledge({ acknowledgement, window: unscaled, payloadLength, flags }: Segment): number {
    const progress = (acknowledgement - this.unacknowledged) | 0;
    if (progress < 0) return progress;
    const window = unscaled << this.#scale;
    const isDuplicate =
      progress === 0 &&
      payloadLength === 0 &&
      (flags & FIN) === 0 &&
      window === this.window &&
      this.unacknowledged !== this.next;
    this.window = window;
    if (progress > 0) this.#advance(acknowledgement);
    else if (isDuplicate && ++this.#duplicates === 3 && this.#recoverUntil === undefined) this.recover();
    return progress;
  }

  #advance(acknowledgement: number): void {
    this.unacknowledged = acknowledgement;
    this.#duplicates = 0;
    this.#queue.acknowledge(acknowledgement);
    if (this.#recoverUntil === undefined) return;
    if (((acknowledgement - this.#recoverUntil) | 0) >= 0) this.#recoverUntil = undefined;
    // Covers only a part of what was sent before the loss: the next segment is lost as well.
    else this.#retransmit();
  }

  /** Sends again what was lost. */
  recover(): void {
    this.#recoverUntil = this.next;
    this.#retransmit();
  }

  /** Reads what the container has room for, and sends it. */
  read(): void {
    const { pool } = this.#services;
    if (this.finSent) return;
    const limit = Math.min(this.window, MAXIMUM_WINDOW);
    const slotLimit = Math.min(MAXIMUM_SLOTS, Math.max(pool.available >> 3, 2));
    for (let reads = 0; this.isReadable; reads++) {
      const inFlight = (this.next - this.unacknowledged) >>> 0;
      const room = limit - inFlight;
      if (room <= 0) {
        // The window's opening may be told by a segment that gets lost.
        if (inFlight === 0) this.#connection.startTimer();
        return;
      }
      // Better a large segment a little later; acknowledgements are on their way.
      if (inFlight > 0 && ((room < this.#chunk && room < limit >> 1) || this.#queue.count >= slotLimit)) return;
      if (reads === READS_PER_TURN) {
        this.#readLater();
        return;
      }
      const allowed = this.#services.receivable();
      const slot = allowed > 0 ? pool.allocate() : NO_SLOT;
      if (slot === NO_SLOT) {
        this.#services.readWhenFree(this);
        return;
      }
      this.#readInto(slot, Math.min(room, this.#chunk, allowed));
    }
  }

  #readInto(slot: number, size: number): void {
    const { pool } = this.#services;
    const start = pool.offsetOf(slot);
    const isAtMark = this.isUrgentAhead && isAtUrgentMark(this.#connection.socket);
    const length = receive(this.#connection.socket, pool.memory.address + start, size);
    if (length <= 0) {
      pool.free(slot);
      this.isReadable = false;
      if (length === 0) this.#sendFin();
      else if (length !== -Errno.EAGAIN && length !== -Errno.EINTR) this.#connection.resetBoth();
      return;
    }
    // A short read has emptied the socket, and what comes next is an edge. Not so before an end or a mark.
    if (length < size && !this.isEnding && !this.isUrgentAhead) this.isReadable = false;
    pool.start[slot] = start;
    pool.length[slot] = length;
    pool.sequence[slot] = this.next;
    this.#queue.push(slot);
    this.#connection.startTimer();
    const sequence = this.next;
    this.next = (sequence + length) >>> 0;
    this.#connection.answered();
    this.bytes += length;
    this.#services.countReceived(length);
    if (isAtMark) {
      this.isUrgentAhead = false;
      this.#connection.emit(ACK | PSH | URG, sequence, pool.memory.address + start, length, 1);
    } else this.#connection.emit(ACK | PSH, sequence, pool.memory.address + start, length);
  }

  #sendFin(): void {
    this.#connection.startTimer();
    const sequence = this.next;
    this.finSent = true;
    this.next = (sequence + 1) >>> 0;
    this.#connection.emit(FIN | ACK, sequence);
  }

  #readLater(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#services.reactor.defer(() => {
      this.#isDeferred = false;
      this.resumeReading();
    });
  }

  /** Reads on, when there was no memory or it was others' turn. */
  resumeReading(): void {
    if (this.#connection.isEstablished && this.isReadable) this.read();
  }

  /** Sends the first segment that is not acknowledged again. */
  #retransmit(): void {
    const { pool } = this.#services;
    const slot = this.#queue.first;
    if (slot !== NO_SLOT) {
      const address = pool.memory.address + (pool.start[slot] ?? 0);
      this.#connection.emit(ACK | PSH, pool.sequence[slot] ?? 0, address, pool.length[slot] ?? 0);
    } else if (this.finSent) this.#connection.emit(FIN | ACK, (this.next - 1) >>> 0);
  }

  clear(): void {
    this.#queue.clear();
  }
}
