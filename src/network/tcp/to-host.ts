/*
 * Theory of operation: the direction from the container to the host of a TCP connection; see connection.ts. Sequence
 * numbers here are the container's.
 *
 * A segment that comes in order is sent to the socket from where the frame lies. What the socket does not take stays in
 * `ReceiveQueue`, and the window that is advertised shrinks by it, until it is zero: the container then waits as it would
 * for the real peer. What comes too early waits in `EarlySegments`, and what is missing is asked for.
 *
 * Acknowledgements are due after each round of reading frames, or after a few segments. That of a question, a single
 * small segment, waits some milliseconds for the answer to go with. But a program's kernel may hold the rest of a question
 * back until the first part is acknowledged (Nagle's algorithm): where more comes after an acknowledgement that has
 * waited in vain, those of the connection wait no more, and those of new connections do not for a while.
 */
import { Errno } from "../../sys/errno.ts";
import { send, sendUrgent } from "../../sys/internet-socket.ts";
import { SLOT_SIZE } from "../frame-pool.ts";
import type { Packet } from "../packet.ts";
import type { ConnectionOfDirection } from "./connection-of-direction.ts";
import { EarlySegments } from "./early-segments.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { type Segment, TcpFlag } from "./segment.ts";
import type { TcpServices } from "./services.ts";

const { FIN, URG } = TcpFlag;

/** The most that is held for a connection, in bytes. */
const MAXIMUM_WINDOW = 4 << 20;
/** The least, when memory is scarce. */
const MINIMUM_WINDOW = 64 << 10;
/** Segments that are acknowledged together. */
const SEGMENTS_PER_ACKNOWLEDGEMENT = 16;
/** The most payload whose acknowledgement may wait for an answer, in bytes: that of a question. */
const MAXIMUM_QUESTION = 4096;

/** What a slot's present owner knows: whether somebody else has taken it. */
type SlotOwner = Pick<Packet, "slot" | "isTaken">;

export class ToHost {
  /** The next byte that is expected. */
  next = 0;
  /** How far the windows are shifted that the container is told. */
  scale = 0;
  /** Whether the socket takes something, as far as is known. */
  isWritable = false;
  /** Whether FIN was passed on. */
  isHostTold = false;
  /** How many bytes have come. */
  bytes = 0;
  readonly #connection: ConnectionOfDirection;
  readonly #services: TcpServices;
  readonly #queue: ReceiveQueue;
  /** Made when it is needed, which is hardly ever. */
  #early: EarlySegments | undefined = undefined;
  /** One past the last byte that the container may send. */
  #edge = 0;
  #finReceived = false;
  #segmentsDue = 0;
  /** Whether the acknowledgement that is due may wait for an answer, and since when it does. */
  #mayWait = false;
  #waitsSince = 0;
  /** Whether the last one has waited in vain. */
  #hasWaited = false;
  /** Whether the container goes on without its questions' acknowledgements, as far as is known. */
  #isPatient: boolean;

  constructor(connection: ConnectionOfDirection, services: TcpServices) {
    this.#connection = connection;
    this.#services = services;
    this.#queue = new ReceiveQueue(services.pool);
    this.#isPatient = services.isPatient;
  }

  /**
   * Begins behind the container's SYN.
   * @param scale how far the windows are shifted that the container is told
   */
  begin(sequence: number, scale: number): void {
    this.scale = scale;
    this.next = this.#edge = (sequence + 1) >>> 0;
  }

  /** How many bytes the container may send. */
  get window(): number {
    return (this.#edge - this.next) | 0;
  }

  /** Whether nothing of a segment lies in the receive window. */
  isOutside({ payloadLength, flags }: Segment, gap: number, window: number): boolean {
    const length = payloadLength + ((flags & FIN) !== 0 ? 1 : 0);
    if (length === 0) return gap !== 0 && (gap < 0 || gap >= window);
    return gap + length <= 0 || (gap > 0 && gap >= window);
  }

  /** Takes the payload and the FIN of a segment that begins `gap` bytes behind what is expected. */
  accept(segment: Segment, packet: Packet, gap: number): void {
    const hasFin = (segment.flags & FIN) !== 0;
    let { payload, payloadLength } = segment;
    if (payloadLength === 0 && !hasFin) return;
    if (gap > 0) {
      this.#holdEarly(segment, packet, gap);
      // Tells at once what is missing.
      this.#connection.sendAcknowledgement();
      return;
    }
    payload -= gap;
    payloadLength += gap;
    // All of it has come before, and was acknowledged anew.
    if (payloadLength < 0 || (payloadLength === 0 && !hasFin)) return;
    const { window } = this;
    let isCut = false;
    if (payloadLength > window) {
      payloadLength = Math.max(window, 0);
      isCut = true;
    }
    if (payloadLength > 0 && !this.#finReceived) {
      if (this.#hasWaited) this.#hurry();
      const urgentEnd = (segment.flags & URG) !== 0 ? segment.urgentPointer + gap : 0;
      const accepted = this.#deliver(packet, payload, payloadLength, urgentEnd);
      if (!this.#connection.isEstablished) return;
      this.next = (this.next + accepted) >>> 0;
      this.bytes += accepted;
      isCut ||= accepted < payloadLength;
      if (this.#early !== undefined && !this.#deliverEarly(this.#early)) return;
    }
    if (hasFin && !isCut && !this.#finReceived) {
      this.next = (this.next + 1) >>> 0;
      this.#finReceived = true;
      if (this.#connection.isFinished) this.#tellHost();
      // Nobody waits for that as for what other frames of this round may ask.
      else this.#services.reactor.afterRound(() => this.#tellHost());
      if (!this.#connection.isEstablished) return;
    }
    if (this.#segmentsDue === 0 || this.#mayWait) this.#services.acknowledgeLater(this);
    this.#mayWait = this.#segmentsDue++ === 0 && this.#early === undefined && this.#isQuestion(payloadLength, hasFin);
    if (this.#segmentsDue >= SEGMENTS_PER_ACKNOWLEDGEMENT || isCut) this.#connection.sendAcknowledgement();
  }

  /** Whether the acknowledgement of a segment, if it is the only one that is due, may wait for an answer. */
  #isQuestion(payloadLength: number, hasFin: boolean): boolean {
    return hasFin || (this.#isPatient && payloadLength <= MAXIMUM_QUESTION);
  }

  /** The container had more to send, and did so when what came before was acknowledged late. */
  #hurry(): void {
    this.#hasWaited = false;
    this.#isPatient = false;
    this.#services.isImpatient();
  }

  #holdEarly({ payload, payloadLength, sequence }: Segment, packet: Packet, gap: number): void {
    const { window } = this;
    if (payloadLength === 0 || gap + payloadLength > window || this.#finReceived) return;
    this.#early ??= new EarlySegments(this.#services.pool);
    if (this.#early.hold({ slot: packet.slot, start: payload, length: payloadLength, sequence })) packet.isTaken = true;
  }

  /** Passes on what had come early and is expected now; false when the connection has ended meanwhile. */
  #deliverEarly(early: EarlySegments): boolean {
    for (;;) {
      const segment = early.take(this.next);
      if (segment === undefined) return true;
      const owner = { slot: segment.slot, isTaken: false };
      const accepted = this.#deliver(owner, segment.start, segment.length, 0);
      if (!owner.isTaken) this.#services.pool.free(segment.slot);
      if (!this.#connection.isEstablished) return false;
      this.next = (this.next + accepted) >>> 0;
      this.bytes += accepted;
      if (accepted < segment.length) return true;
    }
  }

  /**
   * Passes data on to the host's socket, or keeps it for later.
   * @param packet whose slot is taken if it is kept
   * @param urgentEnd one past the urgent byte's place in the data; 0 or beyond it: none
   * @returns how many bytes were taken
   */
  #deliver(packet: SlotOwner, start: number, length: number, urgentEnd: number): number {
    if (urgentEnd > 0 && urgentEnd < length) {
      const taken = this.#deliver(packet, start, urgentEnd, urgentEnd);
      if (taken < urgentEnd || !this.#connection.isEstablished) return taken;
      return taken + this.#deliverRest(packet, start + taken, length - taken);
    }
    const isUrgent = urgentEnd === length;
    let sent = 0;
    if (this.isWritable && this.#queue.bytes === 0) {
      const address = this.#services.pool.memory.address + start;
      sent = isUrgent
        ? sendUrgent(this.#connection.socket, address, length)
        : send(this.#connection.socket, address, length);
      if (sent < 0) {
        if (sent !== -Errno.EAGAIN) {
          this.#connection.resetBoth();
          return 0;
        }
        sent = 0;
      }
      if (sent === length) return length;
      this.#awaitRoom();
    }
    const kept = this.#queue.push(packet.slot, start + sent, length - sent);
    if (kept === "full") return sent;
    if (kept === "kept") packet.isTaken = true;
    if (isUrgent) this.#queue.markUrgent();
    return length;
  }

  /** What follows an urgent byte; the slot may belong to the queue by now, then it is left for the container to send again. */
  #deliverRest(packet: SlotOwner, start: number, length: number): number {
    return packet.isTaken ? 0 : this.#deliver(packet, start, length, 0);
  }

  /** Passes the container's FIN on when all data is through. */
  #tellHost(): void {
    if (!this.#finReceived || this.isHostTold || this.#queue.bytes > 0 || !this.#connection.isEstablished) return;
    this.isHostTold = true;
    this.#connection.tellHost();
  }

  #awaitRoom(): void {
    this.isWritable = false;
    this.#connection.awaitRoom();
  }

  /** Gives the socket what it did not take before. */
  drain(): void {
    if (this.#queue.bytes === 0) return;
    const result = this.#queue.drain(this.#connection.socket);
    if (result === -Errno.EAGAIN) this.#awaitRoom();
    else if (result < 0) {
      this.#connection.resetBoth();
      return;
    }
    this.#tellHost();
    if (!this.#connection.isEstablished) return;
    const open = this.window;
    const possible = this.#receiveLimit() - this.#queue.bytes;
    // A window is opened again when it is worth it; RFC 9293 section 3.8.6.2.2.
    if (possible - open >= this.#receiveLimit() >> 1) this.#connection.sendAcknowledgement();
  }

  /** The most that is held in one direction now, in bytes. */
  #receiveLimit(): number {
    const { pool } = this.#services;
    const share = (pool.available * SLOT_SIZE) >> 3;
    const limit = Math.min(MAXIMUM_WINDOW, Math.max(MINIMUM_WINDOW, share));
    return this.scale === 0 ? Math.min(limit, 0xffff) : limit;
  }

  /** Sends the acknowledgement that is due, unless it may wait. */
  acknowledge(): void {
    if (this.#segmentsDue === 0 || !this.#connection.isEstablished) return;
    if (this.#mayWait) {
      this.#waitsSince = this.#services.now;
      this.#services.acknowledgeInTime(this);
    } else this.#connection.sendAcknowledgement();
  }

  /**
   * Sends the acknowledgement that has waited for an answer, if there was none.
   * @param before time since when it has to wait for that
   * @returns whether it goes on waiting
   */
  acknowledgeWithoutAnswer(before: number): boolean {
    if (this.#segmentsDue === 0 || !this.#connection.isEstablished) return false;
    if (this.#waitsSince > before) return true;
    this.#hasWaited = true;
    this.#connection.sendAcknowledgement();
    return false;
  }

  /** Says that all that has come was acknowledged. */
  acknowledged(): void {
    this.#segmentsDue = 0;
  }

  /** Says that the container was sent something. */
  answered(): void {
    this.#hasWaited = false;
  }

  /** The window for a header. What was promised once is not taken back. */
  advertise(isSyn: boolean): number {
    const window = Math.max(this.#receiveLimit() - this.#queue.bytes, 0);
    const edge = (this.next + window) >>> 0;
    if (((edge - this.#edge) | 0) > 0) this.#edge = edge;
    const open = (this.#edge - this.next) >>> 0;
    return Math.min(isSyn ? open : open >>> this.scale, 0xffff);
  }

  clear(): void {
    this.#queue.clear();
    this.#early?.clear();
  }
}
