/*
 * Theory of operation: one TCP connection of the container.
 *
 * It is two connections: the container's kernel speaks TCP with the stack over the link, and the stack has a socket of
 * the host, whose kernel speaks TCP with the world. Each end's problems stay with it: losses, round trips and paths of
 * the world are the host's TCP's business, and on the link there is memory only, so the stack's side needs no
 * congestion control and no measurement of round trips.
 *
 * Towards the host: a segment that comes in order is sent to the socket from where the frame lies. What the socket does
 * not take stays in `ReceiveQueue`, and the window that is advertised shrinks by it, until it is zero: the container
 * then waits as it would for the real peer. What comes too early waits in `EarlySegments`, and what is missing is
 * asked for. Acknowledgements are due after each round of reading frames, or after a few segments. That of a question, a
 * single small segment, waits some milliseconds for the answer to go with. But a program's kernel may hold the rest of a
 * question back until the first part is acknowledged (Nagle's algorithm): where more comes after an acknowledgement that
 * has waited in vain, those of the connection wait no more, and those of new connections do not for a while.
 *
 * Towards the container: as much is read from the socket as the container's window and the bounds of memory allow, a
 * slot of up to 64 KiB at a time, and each slot is one segment (which the kernel may take for many, see link.ts). It
 * stays in `SendQueue` until it is acknowledged. When the window is used up the socket is not read: its buffer fills,
 * and the host's TCP makes the world wait. Lost segments are sent again after three duplicate acknowledgements, then
 * one for each acknowledgement that only covers a part (RFC 6582), or when a timer expires.
 *
 * Opening. From inside: the socket is connected first, and the SYN is only answered when that has succeeded; when it
 * fails, the container gets what gives its program the same errno (a RST, or ICMP). From outside: the kernel has
 * accepted a client already; the stack sends a SYN under the client's address, and resets the client's connection
 * when the container refuses.
 *
 * Closing. FIN is passed on in each direction when the data before it is through, so a half-closed connection is one
 * inside and outside. A RST of either side becomes one on the other. When both directions are done the socket is closed;
 * if the container's FIN came last, the connection lingers for a moment without it, to acknowledge that FIN once more
 * should the acknowledgement get lost.
 *
 * Urgent data goes through as what Linux makes of it: one byte at the mark (MSG_OOB, SIOCATMARK).
 */
import { Errno } from "../../sys/errno.ts";
import {
  type Address,
  connect,
  type Endpoint,
  endSending,
  getOption,
  isAtUrgentMark,
  isVersion4,
  receive,
  resetOnClose,
  SocketOption,
  send,
  sendUrgent,
  setOption,
} from "../../sys/internet-socket.ts";
import { Event } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { NO_SLOT, SLOT_SIZE } from "../frame-pool.ts";
import { icmpError, refusalOf, sendErrorAboutSyn } from "../icmp-error.ts";
import { IpProtocol } from "../ip-protocol.ts";
import { Segmentation } from "../link.ts";
import type { Packet } from "../packet.ts";
import { EarlySegments } from "./early-segments.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import {
  type Segment,
  TCP_CHECKSUM_OFFSET,
  TCP_HEADER_SIZE,
  TcpFlag,
  writeSynOptions,
  writeTcpHeader,
} from "./segment.ts";
import { SendQueue } from "./send-queue.ts";
import type { TcpServices } from "./services.ts";

const { FIN, SYN, RST, PSH, ACK, URG } = TcpFlag;

/** How far a connection has come. */
type State =
  /** The host's socket is being connected. */
  | "connecting"
  /** SYN and ACK were sent. */
  | "syn received"
  /** A SYN was sent, for a client outside. */
  | "syn sent"
  | "established"
  /** Both directions are done. */
  | "lingering"
  | "closed";

/** The most that is held for a connection in each direction, in bytes. */
const MAXIMUM_WINDOW = 4 << 20;
/** The least, when memory is scarce. */
const MINIMUM_WINDOW = 64 << 10;
const WINDOW_SCALE = 7;
/**
 * Slots of a connection that are not acknowledged. A megabyte is more than the link ever holds on its way; more would
 * only wait in the container's memory, and be copied there from memory that no processor has at hand any more.
 */
const MAXIMUM_SLOTS = 16;
/** The most payload of one segment: with its headers it is an IP packet of at most 65535 bytes. */
const MAXIMUM_PAYLOAD = 65480;
/** Segments that are acknowledged together. */
const SEGMENTS_PER_ACKNOWLEDGEMENT = 16;
/** The most payload whose acknowledgement may wait for an answer, in bytes: that of a question. */
const MAXIMUM_QUESTION = 4096;
/** Reads from a socket in one go, before others have their turn. */
const READS_PER_TURN = 16;

/** Milliseconds until a segment is sent again, doubled each time up to so many times. */
const RETRANSMISSION_TIMEOUT = 200;
const MAXIMUM_BACKOFF = 6;
/** Unanswered retransmissions after which the container is taken for dead: about two minutes. */
const MAXIMUM_ATTEMPTS = 15;
/** The same for a handshake. */
const MAXIMUM_HANDSHAKE_ATTEMPTS = 7;
const LINGER_TIME = 2_000;
const EVENTS = Event.IN | Event.OUT | Event.PRI | Event.RDHUP | Event.EDGE;

/** What a slot's present owner knows: whether somebody else has taken it. */
type SlotOwner = Pick<Packet, "slot" | "isTaken">;

export class TcpConnection {
  readonly protocol = IpProtocol.TCP;
  readonly inside: Address;
  readonly insidePort: number;
  readonly outside: Address;
  readonly outsidePort: number;
  hash = 0;
  nextInBucket: TcpConnection | undefined = undefined;
  /** Bytes that the container has sent, and that it was sent. */
  sent = 0;
  received = 0;

  readonly #services: TcpServices;
  #state: State = "closed";
  #socket = -1;

  // From the container to the host, in sequence numbers of the container's.
  #receiveNext = 0;
  /** One past the last byte that the container may send. */
  #receiveEdge = 0;
  #segmentsDue = 0;
  /** Whether the acknowledgement that is due may wait for an answer, and since when it does. */
  #mayWait = false;
  #waitsSince = 0;
  /** Whether the last one has waited in vain. */
  #hasWaited = false;
  /** Whether the container goes on without its questions' acknowledgements, as far as is known. */
  #isPatient: boolean;
  #finReceived = false;
  /** Whether FIN was passed on to the host. */
  #isHostTold = false;
  readonly #received: ReceiveQueue;
  /** Made when it is needed, which is hardly ever. */
  #early: EarlySegments | undefined = undefined;

  // From the host to the container, in our own sequence numbers.
  readonly #initialSequence: number;
  #sendNext: number;
  #sendUnacknowledged: number;
  #sendWindow = 0;
  /** How far the container's windows are shifted; ours too unless it does not take part. */
  #sendScale = 0;
  #receiveScale = 0;
  #maximumSegmentSize = 536;
  #chunk = MAXIMUM_PAYLOAD;
  #finSent = false;
  readonly #sent: SendQueue;
  #duplicates = 0;
  /** Where the retransmission after a loss is over. */
  #recoverUntil: number | undefined = undefined;

  #isReadable = false;
  #isWritable = false;
  /** Whether the socket's end has come, so that it has to be read up to it. */
  #isEnding = false;
  #isUrgentAhead = false;
  #isDeferred = false;
  #isTimed = false;
  #deadline = 0;
  #attempts = 0;
  /** When the container was heard last, and how long it had been silent before. */
  #lastHeard = 0;
  #silence = 0;
  #isKeptAlive = false;

  constructor(services: TcpServices, inside: Address, insidePort: number, outside: Address, outsidePort: number) {
    this.#services = services;
    this.inside = inside;
    this.insidePort = insidePort;
    this.outside = outside;
    this.outsidePort = outsidePort;
    this.#received = new ReceiveQueue(services.pool);
    this.#sent = new SendQueue(services.pool);
    this.#isPatient = services.isPatient;
    this.#initialSequence = services.initialSequence();
    this.#sendNext = this.#sendUnacknowledged = this.#initialSequence;
  }

  get state(): string {
    return this.#state;
  }

  get isLingering(): boolean {
    return this.#state === "lingering";
  }

  /**
   * Begins a connection that the container asks for.
   * @param segment its SYN
   * @param host where to connect to
   */
  openFromInside(segment: Segment, host: Endpoint): void {
    this.#readSyn(segment);
    this.#dial(host);
  }

  /**
   * Begins a connection that the container asks for and that is there already.
   * @param segment its SYN
   * @param socket is the connection's from now on
   */
  openToSocket(segment: Segment, socket: number): void {
    this.#readSyn(segment);
    this.#socket = socket;
    this.#services.reactor.add(socket, EVENTS, this.#onEvents);
  }

  #readSyn(segment: Segment): void {
    this.#state = "connecting";
    this.#receiveNext = (segment.sequence + 1) >>> 0;
    this.#receiveEdge = this.#receiveNext;
    this.#readOptions(segment);
    this.#sendWindow = segment.window;
  }

  /** Begins a connection to the container for a client whose socket was accepted. */
  openFromOutside(socket: number): void {
    this.#socket = socket;
    this.#state = "syn sent";
    this.#receiveScale = WINDOW_SCALE;
    this.#sendNext = (this.#initialSequence + 1) >>> 0;
    this.#sendSyn();
    this.#startTimer();
  }

  /** Connects to the host's side; tells the container what the error was if that fails at once. */
  #dial({ address, port }: Endpoint): void {
    const socket = this.#services.openSocket(isVersion4(address) ? 4 : 6);
    // No descriptors or no memory: the SYN is as good as lost, and will come again.
    if (socket === -Errno.EMFILE || socket === -Errno.ENFILE || socket === -Errno.ENOBUFS || socket === -Errno.ENOMEM) {
      this.close();
      return;
    }
    const result = socket < 0 ? socket : connect(socket, address, port);
    if (result < 0 && result !== -Errno.EINPROGRESS) {
      if (socket >= 0) systemCall(SystemCall.close, socket);
      this.#refuse(-result);
      return;
    }
    this.#socket = socket;
    this.#services.reactor.add(socket, EVENTS, this.#onEvents);
  }

  readonly #onEvents = (events: number): void => this.#handleEvents(events);

  #handleEvents(events: number): void {
    this.#services.updateTime();
    if (this.#state === "connecting") {
      this.#handleConnected(events);
      return;
    }
    if ((events & (Event.RDHUP | Event.HUP | Event.ERR)) !== 0) this.#isEnding = true;
    if ((events & Event.PRI) !== 0) this.#isUrgentAhead = true;
    if ((events & ~(Event.OUT as number)) !== 0) this.#isReadable = true;
    // After its end the socket is not read any more, but may still fail.
    if ((events & Event.ERR) !== 0 && this.#finSent && getOption(this.#socket, SocketOption.SO_ERROR) !== 0) {
      this.#resetBoth();
      return;
    }
    if ((events & Event.OUT) !== 0 && !this.#isWritable) {
      this.#isWritable = true;
      this.#drain();
    }
    if (this.#state === "established" && this.#isReadable) this.#readFromHost();
  }

  #handleConnected(events: number): void {
    if ((events & (Event.ERR | Event.HUP)) !== 0) {
      const errno = getOption(this.#socket, SocketOption.SO_ERROR) ?? Errno.ECONNREFUSED;
      this.#closeSocket();
      this.#refuse(errno === 0 ? Errno.ECONNREFUSED : errno);
      return;
    }
    if ((events & Event.OUT) === 0) return;
    this.#services.connected(this);
    this.#state = "syn received";
    this.#isWritable = true;
    this.#isReadable = (events & Event.IN) !== 0;
    // All of it may have come with the connection.
    if ((events & Event.RDHUP) !== 0) this.#isEnding = true;
    if ((events & Event.PRI) !== 0) this.#isUrgentAhead = true;
    this.#sendNext = (this.#initialSequence + 1) >>> 0;
    this.#sendSyn();
    this.#startTimer();
  }

  /** Makes the container's connect(2) fail. */
  #refuse(errno: number): void {
    const refusal = refusalOf(errno);
    if (errno === Errno.ECONNREFUSED || errno === Errno.ECONNRESET) this.#emit(RST | ACK, 0);
    // What is not said of the network is silence: the container's own SYN times out as the host's did.
    else if (refusal !== undefined) {
      const version = isVersion4(this.outside) ? 4 : 6;
      const sequence = (this.#receiveNext - 1) >>> 0;
      sendErrorAboutSyn(
        this.#services.output,
        this,
        sequence,
        this.#services.router(version),
        icmpError(version, refusal),
      );
    }
    this.close();
  }

  /** Handles a segment of the container's that belongs to this connection. */
  handle(segment: Segment, packet: Packet): void {
    const { flags } = segment;
    const { now } = this.#services;
    this.#silence = now - this.#lastHeard;
    this.#lastHeard = now;
    switch (this.#state) {
      case "connecting":
        if ((flags & RST) !== 0 && segment.sequence === this.#receiveNext) this.#resetHost();
        return;
      case "syn sent":
        this.#handleInSynSent(segment);
        return;
      case "closed":
        return;
      default:
        this.#handleSynchronized(segment, packet);
    }
  }

  #handleInSynSent(segment: Segment): void {
    const { flags, acknowledgement } = segment;
    if ((flags & ACK) === 0) return;
    if (acknowledgement !== this.#sendNext) {
      if ((flags & RST) !== 0) return;
      // The container remembers a connection of the same ends that we do not: it forgets it, and the SYN comes again;
      // RFC 9293 section 3.5.1.
      this.#emitReset(acknowledgement);
      this.#sendSyn();
      return;
    }
    if ((flags & RST) !== 0) {
      this.#resetHost();
      return;
    }
    if ((flags & SYN) === 0) return;
    this.#receiveNext = (segment.sequence + 1) >>> 0;
    this.#receiveEdge = this.#receiveNext;
    this.#readOptions(segment);
    this.#sendWindow = segment.window;
    this.#isWritable = true;
    this.#isReadable = true;
    this.#establish();
    this.#emit(ACK, this.#sendNext);
    this.#services.reactor.add(this.#socket, EVENTS, this.#onEvents);
  }

  #establish(): void {
    this.#state = "established";
    this.#sendUnacknowledged = this.#sendNext;
    this.#attempts = 0;
  }

  /** RFC 9293 section 3.10.7.4. */
  #handleSynchronized(segment: Segment, packet: Packet): void {
    const { flags, sequence } = segment;
    const gap = (sequence - this.#receiveNext) | 0;
    const window = (this.#receiveEdge - this.#receiveNext) | 0;
    if ((flags & RST) !== 0) {
      if (gap === 0) this.#resetHost();
      // RFC 5961 section 3: maybe a forgery; who means it answers our acknowledgement by a reset that fits.
      else if (gap > 0 && gap < window) this.#emit(ACK, this.#sendNext);
      return;
    }
    if ((flags & SYN) !== 0) {
      if (this.#state === "syn received" && gap === -1) this.#sendSyn();
      else this.#emit(ACK, this.#sendNext);
      return;
    }
    if (this.#isOutside(segment, gap, window)) {
      if (gap === -1 && segment.payloadLength <= 1) this.#mirrorKeepAlive();
      this.#emit(ACK, this.#sendNext);
      // An acknowledgement counts even so: both sides may have lost something.
      if ((flags & ACK) === 0 || gap > window) return;
    }
    if ((flags & ACK) === 0 || !this.#acknowledge(segment)) return;
    if (this.#state === "established") this.#accept(segment, packet, gap);
    if (this.#state === "established" && this.#isReadable) this.#readFromHost();
  }

  /** Whether nothing of a segment lies in the receive window. */
  #isOutside({ payloadLength, flags }: Segment, gap: number, window: number): boolean {
    const length = payloadLength + ((flags & FIN) !== 0 ? 1 : 0);
    if (length === 0) return gap !== 0 && (gap < 0 || gap >= window);
    return gap + length <= 0 || (gap > 0 && gap >= window);
  }

  /** Handles the acknowledgement and window of a segment; false when it ends here. */
  #acknowledge(segment: Segment): boolean {
    const { acknowledgement, flags } = segment;
    if (this.#state === "syn received") {
      if (acknowledgement !== this.#sendNext) {
        this.#emitReset(acknowledgement);
        return false;
      }
      this.#establish();
    }
    const progress = (acknowledgement - this.#sendUnacknowledged) | 0;
    if (((acknowledgement - this.#sendNext) | 0) > 0) {
      this.#emit(ACK, this.#sendNext);
      return false;
    }
    if (progress < 0) return true;
    const window = segment.window << this.#sendScale;
    const isDuplicate =
      progress === 0 &&
      segment.payloadLength === 0 &&
      (flags & FIN) === 0 &&
      window === this.#sendWindow &&
      this.#sendUnacknowledged !== this.#sendNext;
    this.#sendWindow = window;
    this.#attempts = 0;
    if (progress > 0) this.#handleProgress(acknowledgement);
    else if (isDuplicate && ++this.#duplicates === 3 && this.#recoverUntil === undefined) {
      this.#recoverUntil = this.#sendNext;
      this.#retransmit();
    }
    return this.#state !== "closed";
  }

  #handleProgress(acknowledgement: number): void {
    this.#sendUnacknowledged = acknowledgement;
    this.#duplicates = 0;
    this.#sent.acknowledge(acknowledgement);
    this.#deadline = this.#services.now + RETRANSMISSION_TIMEOUT;
    if (this.#recoverUntil !== undefined) {
      if (((acknowledgement - this.#recoverUntil) | 0) >= 0) this.#recoverUntil = undefined;
      // Covers only a part of what was sent before the loss: the next segment is lost as well.
      else this.#retransmit();
    }
    if (this.#finSent && this.#isHostTold && acknowledgement === this.#sendNext) this.close();
  }

  /** Takes the payload and the FIN of a segment that begins `gap` bytes behind what is expected. */
  #accept(segment: Segment, packet: Packet, gap: number): void {
    const hasFin = (segment.flags & FIN) !== 0;
    let { payload, payloadLength } = segment;
    if (payloadLength === 0 && !hasFin) return;
    if (gap > 0) {
      this.#holdEarly(segment, packet, gap);
      // Tells at once what is missing.
      this.#emit(ACK, this.#sendNext);
      return;
    }
    payload -= gap;
    payloadLength += gap;
    const window = (this.#receiveEdge - this.#receiveNext) | 0;
    let isCut = false;
    if (payloadLength > window) {
      payloadLength = Math.max(window, 0);
      isCut = true;
    }
    if (payloadLength > 0 && !this.#finReceived) {
      if (this.#hasWaited) this.#hurry();
      const urgentEnd = (segment.flags & URG) !== 0 ? segment.urgentPointer + gap : 0;
      const accepted = this.#deliver(packet, payload, payloadLength, urgentEnd);
      if (this.#state !== "established") return;
      this.#receiveNext = (this.#receiveNext + accepted) >>> 0;
      this.sent += accepted;
      isCut ||= accepted < payloadLength;
      if (this.#early !== undefined && !this.#deliverEarly(this.#early)) return;
    }
    if (hasFin && !isCut && !this.#finReceived && payloadLength >= 0) {
      this.#receiveNext = (this.#receiveNext + 1) >>> 0;
      this.#finReceived = true;
      this.#tellHost();
      if (this.#state !== "established") return;
    }
    if (this.#segmentsDue === 0 || this.#mayWait) this.#services.acknowledgeLater(this);
    this.#mayWait = this.#segmentsDue++ === 0 && this.#early === undefined && this.#isQuestion(payloadLength, hasFin);
    if (this.#segmentsDue >= SEGMENTS_PER_ACKNOWLEDGEMENT || isCut) this.#emit(ACK, this.#sendNext);
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
    const window = (this.#receiveEdge - this.#receiveNext) | 0;
    if (payloadLength === 0 || gap + payloadLength > window || this.#finReceived) return;
    this.#early ??= new EarlySegments(this.#services.pool);
    if (this.#early.hold({ slot: packet.slot, start: payload, length: payloadLength, sequence })) packet.isTaken = true;
  }

  /** Passes on what had come early and is expected now; false when the connection has ended meanwhile. */
  #deliverEarly(early: EarlySegments): boolean {
    for (;;) {
      const segment = early.take(this.#receiveNext);
      if (segment === undefined) return true;
      const owner = { slot: segment.slot, isTaken: false };
      const accepted = this.#deliver(owner, segment.start, segment.length, 0);
      if (!owner.isTaken) this.#services.pool.free(segment.slot);
      if (this.#state !== "established") return false;
      this.#receiveNext = (this.#receiveNext + accepted) >>> 0;
      this.sent += accepted;
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
      if (taken < urgentEnd || this.#state !== "established") return taken;
      return taken + this.#deliverRest(packet, start + taken, length - taken);
    }
    const isUrgent = urgentEnd === length;
    let sent = 0;
    if (this.#isWritable && this.#received.bytes === 0) {
      const address = this.#services.pool.memory.address + start;
      sent = isUrgent ? sendUrgent(this.#socket, address, length) : send(this.#socket, address, length);
      if (sent < 0) {
        if (sent !== -Errno.EAGAIN) {
          this.#resetBoth();
          return 0;
        }
        sent = 0;
      }
      if (sent === length) return length;
      this.#isWritable = false;
    }
    const kept = this.#received.push(packet.slot, start + sent, length - sent);
    if (kept === "full") return sent;
    if (kept === "kept") packet.isTaken = true;
    if (isUrgent) this.#received.markUrgent();
    return length;
  }

  /** What follows an urgent byte; the slot may belong to the queue by now, then it is left for the container to send again. */
  #deliverRest(packet: SlotOwner, start: number, length: number): number {
    return packet.isTaken ? 0 : this.#deliver(packet, start, length, 0);
  }

  /** Passes the container's FIN on when all data is through. */
  #tellHost(): void {
    if (!this.#finReceived || this.#isHostTold || this.#received.bytes > 0) return;
    this.#isHostTold = true;
    endSending(this.#socket);
    if (!this.#finSent || this.#sendUnacknowledged !== this.#sendNext) return;
    this.#emit(ACK, this.#sendNext);
    this.#linger();
  }

  #drain(): void {
    if (this.#received.bytes === 0) return;
    const result = this.#received.drain(this.#socket);
    if (result === -Errno.EAGAIN) this.#isWritable = false;
    else if (result < 0) {
      this.#resetBoth();
      return;
    }
    this.#tellHost();
    if (this.#state !== "established") return;
    const open = (this.#receiveEdge - this.#receiveNext) | 0;
    const possible = this.#receiveLimit() - this.#received.bytes;
    // A window is opened again when it is worth it; RFC 9293 section 3.8.6.2.2.
    if (possible - open >= this.#receiveLimit() >> 1) this.#emit(ACK, this.#sendNext);
  }

  /** The most that is held in one direction now, in bytes. */
  #receiveLimit(): number {
    const { pool } = this.#services;
    const share = (pool.available * SLOT_SIZE) >> 3;
    const limit = Math.min(MAXIMUM_WINDOW, Math.max(MINIMUM_WINDOW, share));
    return this.#receiveScale === 0 ? Math.min(limit, 0xffff) : limit;
  }

  /** Reads what the container has room for, and sends it. */
  #readFromHost(): void {
    const { pool } = this.#services;
    if (this.#finSent) return;
    const limit = Math.min(this.#sendWindow, MAXIMUM_WINDOW);
    const slotLimit = Math.min(MAXIMUM_SLOTS, Math.max(pool.available >> 3, 2));
    for (let reads = 0; this.#isReadable; reads++) {
      const inFlight = (this.#sendNext - this.#sendUnacknowledged) >>> 0;
      const room = limit - inFlight;
      if (room <= 0) {
        // The window's opening may be told by a segment that gets lost.
        if (inFlight === 0) this.#startTimer();
        return;
      }
      // Better a large segment a little later; acknowledgements are on their way.
      if (inFlight > 0 && ((room < this.#chunk && room < limit >> 1) || this.#sent.count >= slotLimit)) return;
      if (reads === READS_PER_TURN) {
        this.#readLater();
        return;
      }
      const slot = this.#services.mayReceive() ? pool.allocate() : NO_SLOT;
      if (slot === NO_SLOT) {
        this.#services.readWhenFree(this);
        return;
      }
      this.#readInto(slot, Math.min(room, this.#chunk));
    }
  }

  #readInto(slot: number, size: number): void {
    const { pool } = this.#services;
    const start = pool.offsetOf(slot);
    const isAtMark = this.#isUrgentAhead && isAtUrgentMark(this.#socket);
    const length = receive(this.#socket, pool.memory.address + start, size);
    if (length <= 0) {
      pool.free(slot);
      this.#isReadable = false;
      if (length === 0) this.#sendFin();
      else if (length !== -Errno.EAGAIN && length !== -Errno.EINTR) this.#resetBoth();
      return;
    }
    // A short read has emptied the socket, and what comes next is an edge. Not so before an end or a mark.
    if (length < size && !this.#isEnding && !this.#isUrgentAhead) this.#isReadable = false;
    pool.start[slot] = start;
    pool.length[slot] = length;
    pool.sequence[slot] = this.#sendNext;
    this.#sent.push(slot);
    this.#startTimer();
    const sequence = this.#sendNext;
    this.#sendNext = (sequence + length) >>> 0;
    this.#hasWaited = false;
    this.received += length;
    this.#services.countReceived(length);
    if (isAtMark) {
      this.#isUrgentAhead = false;
      this.#emit(ACK | PSH | URG, sequence, pool.memory.address + start, length, 1);
    } else this.#emit(ACK | PSH, sequence, pool.memory.address + start, length);
  }

  #sendFin(): void {
    this.#startTimer();
    const sequence = this.#sendNext;
    this.#finSent = true;
    this.#sendNext = (sequence + 1) >>> 0;
    this.#emit(FIN | ACK, sequence);
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
    if (this.#state === "established" && this.#isReadable) this.#readFromHost();
  }

  /** Sends the acknowledgement that is due, unless it may wait. */
  acknowledge(): void {
    if (this.#segmentsDue === 0 || this.#state !== "established") return;
    if (this.#mayWait) {
      this.#waitsSince = this.#services.now;
      this.#services.acknowledgeInTime(this);
    } else this.#emit(ACK, this.#sendNext);
  }

  /**
   * Sends the acknowledgement that has waited for an answer, if there was none.
   * @param before time since when it has to wait for that
   * @returns whether it goes on waiting
   */
  acknowledgeWithoutAnswer(before: number): boolean {
    if (this.#segmentsDue === 0 || this.#state !== "established") return false;
    if (this.#waitsSince > before) return true;
    this.#hasWaited = true;
    this.#emit(ACK, this.#sendNext);
    return false;
  }

  // A program in the container wants to know whether the other side is still there, and we would answer for it: so the
  // host's socket asks in its turn, after as much silence.
  #mirrorKeepAlive(): void {
    if (this.#isKeptAlive || this.#socket < 0) return;
    this.#isKeptAlive = true;
    setOption(this.#socket, SocketOption.SO_KEEPALIVE, 1);
    const seconds = Math.round(this.#silence / 1000);
    setOption(this.#socket, SocketOption.TCP_KEEPIDLE, Math.min(Math.max(seconds, 1), 32_767));
  }

  /** Before something is sent that has to be answered. */
  #startTimer(): void {
    if (this.#isTimed) {
      if (this.#sendUnacknowledged === this.#sendNext) this.#deadline = this.#services.now + RETRANSMISSION_TIMEOUT;
      return;
    }
    this.#isTimed = true;
    this.#deadline = this.#services.now + RETRANSMISSION_TIMEOUT;
    this.#services.startTimer(this);
  }

  /**
   * Sends again what has not been answered in time.
   * @returns whether the timer is still needed
   */
  tick(now: number): boolean {
    this.#isTimed = this.#needsTimer();
    if (!this.#isTimed || now < this.#deadline) return this.#isTimed;
    if (this.#state === "lingering") {
      this.close();
      return false;
    }
    const limit = this.#state === "established" ? MAXIMUM_ATTEMPTS : MAXIMUM_HANDSHAKE_ATTEMPTS;
    if (++this.#attempts > limit) {
      this.#resetBoth();
      return false;
    }
    this.#deadline = now + (RETRANSMISSION_TIMEOUT << Math.min(this.#attempts, MAXIMUM_BACKOFF));
    if (this.#state !== "established") this.#sendSyn();
    else if (this.#sendUnacknowledged === this.#sendNext) this.#emit(ACK, (this.#sendNext - 1) >>> 0);
    else {
      this.#recoverUntil = this.#sendNext;
      this.#retransmit();
    }
    return true;
  }

  #needsTimer(): boolean {
    if (this.#state === "closed" || this.#state === "connecting") return false;
    if (this.#state !== "established") return true;
    return this.#sendUnacknowledged !== this.#sendNext || (this.#sendWindow === 0 && this.#isReadable);
  }

  /** Sends the first segment that is not acknowledged again. */
  #retransmit(): void {
    const { pool } = this.#services;
    const slot = this.#sent.first;
    if (slot !== NO_SLOT) {
      const address = pool.memory.address + (pool.start[slot] ?? 0);
      this.#emit(ACK | PSH, pool.sequence[slot] ?? 0, address, pool.length[slot] ?? 0);
    } else if (this.#finSent) this.#emit(FIN | ACK, (this.#sendNext - 1) >>> 0);
  }

  #readOptions(segment: Segment): void {
    const { pool } = this.#services;
    const { maximumSegmentSize, windowScale } = segment.readOptions(pool.view);
    this.#sendScale = windowScale ?? 0;
    this.#receiveScale = windowScale === undefined ? 0 : WINDOW_SCALE;
    this.#maximumSegmentSize = maximumSegmentSize;
    // Whole segments, so that none is small without need.
    const whole = MAXIMUM_PAYLOAD - (MAXIMUM_PAYLOAD % maximumSegmentSize);
    this.#chunk = whole > 0 ? whole : MAXIMUM_PAYLOAD;
  }

  #sendSyn(): void {
    this.#emit(this.#state === "syn sent" ? SYN : SYN | ACK, this.#initialSequence);
  }

  /** Sends a segment to the container; every one but a SYN of ours acknowledges, and tells the window. */
  #emit(flags: number, sequence: number, address = 0, length = 0, urgentPointer = 0): void {
    const { output, mtu } = this.#services;
    const { link, view } = output;
    const { inside, outside } = this;
    const isFour = isVersion4(outside);
    const isSyn = (flags & SYN) !== 0;
    const headersSize = isFour ? 40 : 60;
    const optionsLength = isSyn ? (this.#receiveScale === 0 ? 4 : 8) : 0;
    const tcpLength = TCP_HEADER_SIZE + optionsLength + length;
    const transport = output.begin(IpProtocol.TCP, outside, inside, tcpLength);
    const acknowledgement = (flags & ACK) === 0 ? 0 : this.#receiveNext;
    writeTcpHeader(
      view,
      transport,
      this.outsidePort,
      this.insidePort,
      sequence,
      acknowledgement,
      flags,
      this.#advertise(isSyn),
      urgentPointer,
      optionsLength,
    );
    if (isSyn) {
      const scale = this.#receiveScale === 0 ? undefined : WINDOW_SCALE;
      writeSynOptions(view, transport + TCP_HEADER_SIZE, Math.min(mtu - headersSize, MAXIMUM_PAYLOAD), scale);
    }
    output.offloadChecksum(IpProtocol.TCP, outside, inside, tcpLength, transport, TCP_CHECKSUM_OFFSET);
    this.#segmentsDue = 0;
    const headersLength = transport + TCP_HEADER_SIZE + optionsLength;
    if (length === 0) {
      link.send(headersLength);
      return;
    }
    if (length > this.#maximumSegmentSize) {
      const type = isFour ? Segmentation.TCP_IPV4 : Segmentation.TCP_IPV6;
      link.offloadSegmentation(type, this.#maximumSegmentSize);
    }
    link.sendWithPayload(headersLength, address, length);
  }

  /** The window for a header. What was promised once is not taken back. */
  #advertise(isSyn: boolean): number {
    const window = Math.max(this.#receiveLimit() - this.#received.bytes, 0);
    const edge = (this.#receiveNext + window) >>> 0;
    if (((edge - this.#receiveEdge) | 0) > 0) this.#receiveEdge = edge;
    const open = (this.#receiveEdge - this.#receiveNext) >>> 0;
    return Math.min(isSyn ? open : open >>> this.#receiveScale, 0xffff);
  }

  #emitReset(sequence: number): void {
    this.#emit(RST, sequence);
  }

  /** The container has ended the connection by a reset: so does the host's socket. */
  #resetHost(): void {
    if (this.#socket >= 0) resetOnClose(this.#socket);
    this.close();
  }

  /** The host's socket has failed, or the container does not answer any more. */
  #resetBoth(): void {
    if (this.#state !== "syn sent") this.#emit(RST | ACK, this.#sendNext);
    this.#resetHost();
  }

  #linger(): void {
    this.#state = "lingering";
    this.#closeSocket();
    this.#startTimer();
    this.#deadline = this.#services.now + LINGER_TIME;
    this.#services.lingers(this);
  }

  #closeSocket(): void {
    if (this.#socket < 0) return;
    this.#services.reactor.forget(this.#socket);
    systemCall(SystemCall.close, this.#socket);
    this.#socket = -1;
  }

  /** Resets both sides, because the stack ends. */
  abort(): void {
    if (this.#state !== "closed") this.#resetHost();
  }

  /** Gives everything up that it holds, without a word to the container. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#closeSocket();
    this.#received.clear();
    this.#early?.clear();
    this.#sent.clear();
    this.#services.closed(this);
  }
}
