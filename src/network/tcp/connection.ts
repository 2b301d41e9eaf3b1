/*
 * Theory of operation: one TCP connection of the container.
 *
 * It is two connections: the container's kernel speaks TCP with the stack over the link, and the stack has a socket of
 * the host, whose kernel speaks TCP with the world. Each end's problems stay with it: losses, round trips and paths of
 * the world are the host's TCP's business, and on the link there is memory only, so the stack's side needs no
 * congestion control and no measurement of round trips.
 *
 * Data goes through from each to the other: to-host.ts, to-container.ts. Here is what concerns both directions.
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
  isVersion4,
  resetOnClose,
  SocketOption,
  setOption,
} from "../../sys/internet-socket.ts";
import { Event } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { icmpError, refusalOf, sendErrorAboutSyn } from "../icmp-error.ts";
import { IpProtocol } from "../ip-protocol.ts";
import { Segmentation } from "../link.ts";
import type { Packet } from "../packet.ts";
import type { ConnectionOfDirection } from "./connection-of-direction.ts";
import {
  MAXIMUM_PAYLOAD,
  type Segment,
  TCP_CHECKSUM_OFFSET,
  TCP_HEADER_SIZE,
  TcpFlag,
  WINDOW_SCALE,
  writeSynOptions,
  writeTcpHeader,
} from "./segment.ts";
import type { TcpServices } from "./services.ts";
import { ToContainer } from "./to-container.ts";
import { ToHost } from "./to-host.ts";

const { SYN, RST, ACK } = TcpFlag;

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

/** Milliseconds until a segment is sent again, doubled each time up to so many times. */
const RETRANSMISSION_TIMEOUT = 200;
const MAXIMUM_BACKOFF = 6;
/** Unanswered retransmissions after which the container is taken for dead: about two minutes. */
const MAXIMUM_ATTEMPTS = 15;
/** The same for a handshake. */
const MAXIMUM_HANDSHAKE_ATTEMPTS = 7;
const LINGER_TIME = 2_000;
/**
 * What is waited for at the host's socket, with OUT only where the socket has been full: room would otherwise be told
 * whenever something else happens to the socket.
 */
const EVENTS = Event.IN | Event.PRI | Event.RDHUP | Event.EDGE;

export class TcpConnection implements ConnectionOfDirection {
  readonly protocol = IpProtocol.TCP;
  readonly inside: Address;
  readonly insidePort: number;
  readonly outside: Address;
  readonly outsidePort: number;
  hash = 0;
  nextInBucket: TcpConnection | undefined = undefined;
  /** The host's socket; -1 when there is none. */
  socket = -1;
  readonly toHost: ToHost;
  readonly toContainer: ToContainer;
  readonly #services: TcpServices;
  #state: State = "closed";
  #awaitsRoom = false;
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
    this.toHost = new ToHost(this, services);
    this.toContainer = new ToContainer(this, services);
  }

  /** Bytes that the container has sent. */
  get sent(): number {
    return this.toHost.bytes;
  }

  /** Bytes that the container was sent. */
  get received(): number {
    return this.toContainer.bytes;
  }

  get state(): string {
    return this.#state;
  }

  get isEstablished(): boolean {
    return this.#state === "established";
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
    this.#state = "connecting";
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
    this.socket = socket;
    this.#answerSyn();
    this.#services.reactor.add(socket, EVENTS, this.#onEvents);
  }

  /** Takes what the container's SYN says. */
  #readSyn(segment: Segment): void {
    const { maximumSegmentSize, windowScale } = segment.readOptions(this.#services.pool.view);
    this.toHost.begin(segment.sequence, windowScale === undefined ? 0 : WINDOW_SCALE);
    this.toContainer.begin(segment.window, windowScale ?? 0, maximumSegmentSize);
  }

  /** Begins a connection to the container for a client whose socket was accepted. */
  openFromOutside(socket: number): void {
    this.socket = socket;
    this.#state = "syn sent";
    this.toHost.scale = WINDOW_SCALE;
    this.toContainer.skipSyn();
    this.#sendSyn();
    this.startTimer();
  }

  /** Connects to the host's side; tells the container what the error was if that fails at once. */
  #dial({ address, port }: Endpoint): void {
    const socket = this.#services.openSocket(isVersion4(address) ? 4 : 6);
    // No descriptors or no memory: the SYN is as good as lost, and will come again.
    if (socket === -Errno.EMFILE || socket === -Errno.ENFILE || socket === -Errno.ENOBUFS || socket === -Errno.ENOMEM) {
      this.close();
      return;
    }
    let result = socket < 0 ? socket : connect(socket, address, port);
    // A server on this machine has answered within the call, which the kernel tells who asks once more.
    if (result === -Errno.EINPROGRESS) result = connect(socket, address, port);
    if (result < 0 && result !== -Errno.EALREADY) {
      if (socket >= 0) systemCall(SystemCall.close, socket);
      this.#refuse(-result);
      return;
    }
    this.socket = socket;
    if (result === 0) this.#answerSyn();
    else this.#awaitsRoom = true;
    this.#services.reactor.add(socket, this.#awaitsRoom ? EVENTS | Event.OUT : EVENTS, this.#onEvents);
  }

  /** Goes on with the handshake when the host's socket is connected. */
  #answerSyn(): void {
    this.#services.connected(this);
    this.#state = "syn received";
    this.toHost.isWritable = true;
    this.toContainer.skipSyn();
    this.#sendSyn();
    this.startTimer();
  }

  readonly #onEvents = (events: number): void => this.#handleEvents(events);

  #handleEvents(events: number): void {
    this.#services.reactor.expectAnswer();
    this.#services.updateTime();
    if (this.#state === "connecting") {
      this.#handleConnected(events);
      return;
    }
    if ((events & (Event.RDHUP | Event.HUP | Event.ERR)) !== 0) this.toContainer.isEnding = true;
    if ((events & Event.PRI) !== 0) this.toContainer.isUrgentAhead = true;
    if ((events & ~(Event.OUT as number)) !== 0) this.toContainer.isReadable = true;
    // After its end the socket is not read any more, but may still fail.
    if ((events & Event.ERR) !== 0 && this.toContainer.finSent && getOption(this.socket, SocketOption.SO_ERROR) !== 0) {
      this.resetBoth();
      return;
    }
    if ((events & Event.OUT) !== 0 && !this.toHost.isWritable) {
      this.toHost.isWritable = true;
      this.toHost.drain();
    }
    if (this.#state === "established" && this.toContainer.isReadable) this.toContainer.read();
  }

  #handleConnected(events: number): void {
    if ((events & (Event.ERR | Event.HUP)) !== 0) {
      const errno = getOption(this.socket, SocketOption.SO_ERROR) ?? Errno.ECONNREFUSED;
      this.#closeSocket();
      this.#refuse(errno === 0 ? Errno.ECONNREFUSED : errno);
      return;
    }
    if ((events & Event.OUT) === 0) return;
    this.toContainer.isReadable = (events & Event.IN) !== 0;
    // All of it may have come with the connection.
    if ((events & Event.RDHUP) !== 0) this.toContainer.isEnding = true;
    if ((events & Event.PRI) !== 0) this.toContainer.isUrgentAhead = true;
    this.#answerSyn();
  }

  /** Makes the container's connect(2) fail. */
  #refuse(errno: number): void {
    const refusal = refusalOf(errno);
    if (errno === Errno.ECONNREFUSED || errno === Errno.ECONNRESET) this.emit(RST | ACK, 0);
    // What is not said of the network is silence: the container's own SYN times out as the host's did.
    else if (refusal !== undefined) {
      const version = isVersion4(this.outside) ? 4 : 6;
      const sequence = (this.toHost.next - 1) >>> 0;
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
        if ((flags & RST) !== 0 && segment.sequence === this.toHost.next) this.#resetHost();
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
    if (acknowledgement !== this.toContainer.next) {
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
    this.#readSyn(segment);
    this.toHost.isWritable = true;
    this.toContainer.isReadable = true;
    this.#establish();
    this.sendAcknowledgement();
    this.#services.reactor.add(this.socket, EVENTS, this.#onEvents);
  }

  #establish(): void {
    this.#state = "established";
    this.toContainer.unacknowledged = this.toContainer.next;
    this.#attempts = 0;
  }

  /** RFC 9293 section 3.10.7.4. */
  #handleSynchronized(segment: Segment, packet: Packet): void {
    const { flags, sequence } = segment;
    const gap = (sequence - this.toHost.next) | 0;
    const { window } = this.toHost;
    if ((flags & RST) !== 0) {
      if (gap === 0) this.#resetHost();
      // RFC 5961 section 3: maybe a forgery; who means it answers our acknowledgement by a reset that fits.
      else if (gap > 0 && gap < window) this.sendAcknowledgement();
      return;
    }
    if ((flags & SYN) !== 0) {
      if (this.#state === "syn received" && gap === -1) this.#sendSyn();
      else this.sendAcknowledgement();
      return;
    }
    if (this.toHost.isOutside(segment, gap, window)) {
      if (gap === -1 && segment.payloadLength <= 1) this.#mirrorKeepAlive();
      this.sendAcknowledgement();
      // An acknowledgement counts even so: both sides may have lost something.
      if ((flags & ACK) === 0 || gap > window) return;
    }
    if ((flags & ACK) === 0 || !this.#acknowledge(segment)) return;
    if (this.#state === "established") this.toHost.accept(segment, packet, gap);
    if (this.#state === "established" && this.toContainer.isReadable) this.toContainer.read();
  }

  /** Handles the acknowledgement and window of a segment; false when it ends here. */
  #acknowledge(segment: Segment): boolean {
    const { acknowledgement } = segment;
    const { toContainer } = this;
    if (this.#state === "syn received") {
      if (acknowledgement !== toContainer.next) {
        this.#emitReset(acknowledgement);
        return false;
      }
      this.#establish();
    }
    if (((acknowledgement - toContainer.next) | 0) > 0) {
      this.sendAcknowledgement();
      return false;
    }
    const progress = toContainer.acknowledge(segment);
    if (progress < 0) return true;
    this.#attempts = 0;
    if (progress > 0) this.#deadline = this.#services.now + RETRANSMISSION_TIMEOUT;
    if (progress > 0 && this.isFinished && this.toHost.isHostTold) this.close();
    return this.#state !== "closed";
  }

  get isFinished(): boolean {
    return this.toContainer.finSent && this.toContainer.isAcknowledged;
  }

  answered(): void {
    this.toHost.answered();
  }

  awaitRoom(): void {
    if (this.#awaitsRoom) return;
    this.#awaitsRoom = true;
    this.#services.reactor.change(this.socket, EVENTS | Event.OUT);
  }

  tellHost(): void {
    if (!this.isFinished) {
      endSending(this.socket);
      return;
    }
    this.sendAcknowledgement();
    // Closing the socket tells the host as well.
    this.#linger();
  }

  // A program in the container wants to know whether the other side is still there, and we would answer for it: so the
  // host's socket asks in its turn, after as much silence.
  #mirrorKeepAlive(): void {
    if (this.#isKeptAlive || this.socket < 0) return;
    this.#isKeptAlive = true;
    setOption(this.socket, SocketOption.SO_KEEPALIVE, 1);
    const seconds = Math.round(this.#silence / 1000);
    setOption(this.socket, SocketOption.TCP_KEEPIDLE, Math.min(Math.max(seconds, 1), 32_767));
  }

  /** Before something is sent that has to be answered. */
  startTimer(): void {
    if (this.#isTimed) {
      if (this.toContainer.isAcknowledged) this.#deadline = this.#services.now + RETRANSMISSION_TIMEOUT;
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
      this.resetBoth();
      return false;
    }
    this.#deadline = now + (RETRANSMISSION_TIMEOUT << Math.min(this.#attempts, MAXIMUM_BACKOFF));
    if (this.#state !== "established") this.#sendSyn();
    else if (this.toContainer.isAcknowledged) this.emit(ACK, (this.toContainer.next - 1) >>> 0);
    else this.toContainer.recover();
    return true;
  }

  #needsTimer(): boolean {
    if (this.#state === "closed" || this.#state === "connecting") return false;
    if (this.#state !== "established") return true;
    const { isAcknowledged, window, isReadable } = this.toContainer;
    return !isAcknowledged || (window === 0 && isReadable);
  }

  #sendSyn(): void {
    this.emit(this.#state === "syn sent" ? SYN : SYN | ACK, this.toContainer.initialSequence);
  }

  /** Sends a segment to the container; every one but a SYN of ours acknowledges, and tells the window. */
  emit(flags: number, sequence: number, address = 0, length = 0, urgentPointer = 0): void {
    const { output, mtu } = this.#services;
    const { link, view } = output;
    const { inside, outside } = this;
    const isFour = isVersion4(outside);
    const isSyn = (flags & SYN) !== 0;
    const headersSize = isFour ? 40 : 60;
    const optionsLength = isSyn ? (this.toHost.scale === 0 ? 4 : 8) : 0;
    const tcpLength = TCP_HEADER_SIZE + optionsLength + length;
    const transport = output.begin(IpProtocol.TCP, outside, inside, tcpLength);
    const acknowledgement = (flags & ACK) === 0 ? 0 : this.toHost.next;
    writeTcpHeader(
      view,
      transport,
      this.outsidePort,
      this.insidePort,
      sequence,
      acknowledgement,
      flags,
      this.toHost.advertise(isSyn),
      urgentPointer,
      optionsLength,
    );
    if (isSyn) {
      const scale = this.toHost.scale === 0 ? undefined : WINDOW_SCALE;
      writeSynOptions(view, transport + TCP_HEADER_SIZE, Math.min(mtu - headersSize, MAXIMUM_PAYLOAD), scale);
    }
    output.offloadChecksum(IpProtocol.TCP, outside, inside, tcpLength, transport, TCP_CHECKSUM_OFFSET);
    this.toHost.acknowledged();
    const headersLength = transport + TCP_HEADER_SIZE + optionsLength;
    if (length === 0) {
      link.send(headersLength);
      return;
    }
    if (length > this.toContainer.maximumSegmentSize) {
      const type = isFour ? Segmentation.TCP_IPV4 : Segmentation.TCP_IPV6;
      link.offloadSegmentation(type, this.toContainer.maximumSegmentSize);
    }
    link.sendWithPayload(headersLength, address, length);
  }

  sendAcknowledgement(): void {
    this.emit(ACK, this.toContainer.next);
  }

  #emitReset(sequence: number): void {
    this.emit(RST, sequence);
  }

  /** The container has ended the connection by a reset: so does the host's socket. */
  #resetHost(): void {
    if (this.socket >= 0) resetOnClose(this.socket);
    this.close();
  }

  /** The host's socket has failed, or the container does not answer any more. */
  resetBoth(): void {
    if (this.#state !== "syn sent") this.emit(RST | ACK, this.toContainer.next);
    this.#resetHost();
  }

  #linger(): void {
    this.#state = "lingering";
    this.#closeSocket();
    this.startTimer();
    this.#deadline = this.#services.now + LINGER_TIME;
    this.#services.lingers(this);
  }

  #closeSocket(): void {
    if (this.socket < 0) return;
    const { socket } = this;
    const { reactor } = this.#services;
    reactor.forget(socket);
    reactor.afterRound(() => systemCall(SystemCall.close, socket));
    this.socket = -1;
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
    this.toHost.clear();
    this.toContainer.clear();
    this.#services.closed(this);
  }
}
