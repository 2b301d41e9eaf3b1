/*
 * TCP, RFC 9293: which connection a segment belongs to, connections that begin, and what all of them share: timers,
 * acknowledgements that are due, bounds.
 *
 * Bounds: so many connections, of which so many may be half open; under a flood of SYNs the oldest half-open one gives
 * way, without a word, as if its SYN had been lost. Segments of no connection are answered by a reset.
 *
 * Sequence numbers begin at a clock's, as RFC 6528 wants it, not at random: a client outside that uses one port again
 * and again meets the container's memory of its last connection (TIME-WAIT), which only gives way to a higher number.
 */
import type { Address, Endpoint } from "../../sys/internet-socket.ts";
import { Event, type Reactor, Timer } from "../../sys/reactor.ts";
import { isMulticast, sameAddress, UNSPECIFIED_4, UNSPECIFIED_6 } from "../address.ts";
import type { NetworkConfiguration } from "../configuration.ts";
import { destinationOf } from "../destination.ts";
import type { Egress } from "../egress.ts";
import type { FlowSummary } from "../flow-summary.ts";
import { FlowTable } from "../flow-table.ts";
import type { FramePool } from "../frame-pool.ts";
import { icmpError, sendErrorAbout } from "../icmp-error.ts";
import { IpProtocol } from "../ip-protocol.ts";
import type { Output } from "../output.ts";
import type { Packet } from "../packet.ts";
import type { ByteBudget } from "../shaping.ts";
import { TcpConnection } from "./connection.ts";
import { HostSockets } from "./host-sockets.ts";
import { Segment, TCP_CHECKSUM_OFFSET, TCP_HEADER_SIZE, TcpFlag, writeTcpHeader } from "./segment.ts";
import type { TcpServices } from "./services.ts";
import type { ToContainer } from "./to-container.ts";
import type { ToHost } from "./to-host.ts";

const { FIN, SYN, RST, ACK } = TcpFlag;

const MAXIMUM_CONNECTIONS = 32_768;
const MAXIMUM_HALF_OPEN = 4_096;
const MAXIMUM_LINGERING = 1_024;
/** Milliseconds between looks at the connections that wait for something. */
const TICK = 50;
/** More bytes than are ever read at a time. */
const UNLIMITED = 1 << 30;
/** Milliseconds that an acknowledgement may wait for an answer, and that none may after one was waited for itself. */
const ANSWER_TIME = 5;
const IMPATIENCE = 1_000;
/** Milliseconds after the last traffic until memory is given back. */
const TRIM_AFTER = 1_000;
/** The clock of initial sequence numbers, in its steps per millisecond: one each 64 nanoseconds, as Linux has it. */
const SEQUENCES_PER_MILLISECOND = 15_625;

export class Tcp implements TcpServices, Disposable {
  readonly pool: FramePool;
  readonly output: Output;
  readonly reactor: Reactor;
  readonly mtu: number;
  now = performance.now();
  readonly #configuration: NetworkConfiguration;
  readonly #egress: Egress;
  readonly #incoming: ByteBudget | undefined;
  readonly #openResolver: () => number;
  readonly #sockets: HostSockets;
  readonly #connections = new FlowTable<TcpConnection>();
  readonly #segment = new Segment();
  readonly #halfOpen = new Set<TcpConnection>();
  readonly #lingering = new Set<TcpConnection>();
  readonly #timed = new Set<TcpConnection>();
  readonly #waiting = new Set<ToContainer>();
  #due: ToHost[] = [];
  readonly #unanswered = new Set<ToHost>();
  #impatientSince = Number.NEGATIVE_INFINITY;
  readonly #answerTimer = new Timer();
  readonly #timer = new Timer();
  #isTicking = false;
  #trimAt = 0;
  readonly #sequenceKey = Math.floor(Math.random() * 2 ** 32);

  /** What there is at the moment. */
  summaries(): FlowSummary[] {
    return this.#connections.all().map((connection) => {
      const { inside, insidePort, outside, outsidePort, sent, received, state } = connection;
      return {
        protocol: "tcp",
        inside: { address: inside, port: insidePort },
        outside: { address: outside, port: outsidePort },
        sent,
        received,
        state,
        name: this.#egress.nameOf(outside),
      };
    });
  }

  /**
   * @param egress what may be reached outside
   * @param incoming what may be read of the host's sockets; undefined for everything
   * @param openResolver a socket that is connected to the stack's resolver, or a negated error number
   */
  constructor(
    reactor: Reactor,
    pool: FramePool,
    output: Output,
    configuration: NetworkConfiguration,
    egress: Egress,
    incoming: ByteBudget | undefined,
    openResolver: () => number,
  ) {
    this.reactor = reactor;
    this.pool = pool;
    this.output = output;
    this.mtu = configuration.mtu;
    this.#configuration = configuration;
    this.#egress = egress;
    this.#incoming = incoming;
    this.#openResolver = openResolver;
    this.#sockets = new HostSockets(reactor, configuration);
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#tick());
    reactor.add(this.#answerTimer.descriptor.number, Event.IN, () => this.#acknowledgeUnanswered());
  }

  /** How many connections there are. */
  get size(): number {
    return this.#connections.size;
  }

  /** Handles a packet from the container. */
  handle(packet: Packet): void {
    const segment = this.#segment;
    if (!segment.read(this.pool.view, packet)) return;
    const connection = this.#connections.findFor(packet, segment.sourcePort, segment.destinationPort);
    if (connection !== undefined) {
      if (!connection.isLingering || (segment.flags & (SYN | ACK)) !== SYN) {
        connection.handle(segment, packet);
        return;
      }
      connection.close();
    }
    if ((segment.flags & RST) !== 0) return;
    if ((segment.flags & (SYN | ACK)) === SYN) this.#open(packet, segment);
    else this.#reset(packet, segment);
  }

  #open(packet: Packet, segment: Segment): void {
    const { source, destination } = packet;
    const isNobody = sameAddress(source, UNSPECIFIED_4) || sameAddress(source, UNSPECIFIED_6);
    if (isNobody || isMulticast(source) || segment.sourcePort === 0 || segment.destinationPort === 0) return;
    const where = destinationOf(this.#configuration, this.#egress, destination, segment.destinationPort);
    if (where === "dropped" || this.#connections.size >= MAXIMUM_CONNECTIONS) return;
    if (where === "unreachable" || where === "prohibited") {
      const { version } = packet;
      const error = icmpError(version, where === "unreachable" ? "host unreachable" : where);
      sendErrorAbout(this.output, this.pool, packet, this.router(version), error);
      return;
    }
    const resolver = where === "resolver" ? this.#openResolver() : -1;
    if (where === "refused" || (where === "resolver" && resolver < 0)) {
      this.#reset(packet, segment);
      return;
    }
    const [oldest] = this.#halfOpen.size >= MAXIMUM_HALF_OPEN ? this.#halfOpen : [];
    oldest?.close();
    const connection = new TcpConnection(this, source, segment.sourcePort, destination, segment.destinationPort);
    this.#connections.add(connection);
    this.#halfOpen.add(connection);
    if (where === "resolver") connection.openToSocket(segment, resolver);
    else connection.openFromInside(segment, { address: where.host, port: segment.destinationPort });
  }

  /**
   * Takes over the socket of a client that a published port has accepted.
   * @param client as the container is to see it
   * @param target the container's end
   * @returns false when the container has a connection with these ends already, or there are too many
   */
  accept(socket: number, client: Endpoint, target: Endpoint): boolean {
    this.updateTime();
    const { address, port } = target;
    const known = this.#connections.find(IpProtocol.TCP, address, port, client.address, client.port);
    if (known?.isLingering === true) known.close();
    else if (known !== undefined) return false;
    if (this.#connections.size >= MAXIMUM_CONNECTIONS) return false;
    const connection = new TcpConnection(this, address, port, client.address, client.port);
    this.#connections.add(connection);
    connection.openFromOutside(socket);
    return true;
  }

  /** Answers a segment that belongs to no connection; RFC 9293 section 3.10.7.1. */
  #reset(packet: Packet, segment: Segment): void {
    const { view, link } = this.output;
    const { source, destination } = packet;
    if (isMulticast(destination)) return;
    const acknowledges = (segment.flags & ACK) !== 0;
    const length =
      segment.payloadLength + ((segment.flags & SYN) !== 0 ? 1 : 0) + ((segment.flags & FIN) !== 0 ? 1 : 0);
    const transport = this.output.begin(IpProtocol.TCP, destination, source, TCP_HEADER_SIZE);
    writeTcpHeader(
      view,
      transport,
      segment.destinationPort,
      segment.sourcePort,
      acknowledges ? segment.acknowledgement : 0,
      acknowledges ? 0 : (segment.sequence + length) >>> 0,
      acknowledges ? RST : RST | ACK,
      0,
      0,
      0,
    );
    this.output.offloadChecksum(IpProtocol.TCP, destination, source, TCP_HEADER_SIZE, transport, TCP_CHECKSUM_OFFSET);
    link.send(transport + TCP_HEADER_SIZE);
  }

  /** Sends the acknowledgements that are due. */
  flush(): void {
    const due = this.#due;
    if (due.length > 0) {
      this.#due = [];
      for (const direction of due) direction.acknowledge();
    }
    if (this.#waiting.size > 0 && this.pool.available > 0 && this.receivable() > 0) {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const direction of waiting) direction.resumeReading();
    }
  }

  updateTime(): void {
    this.now = performance.now();
  }

  initialSequence(): number {
    return (this.#sequenceKey + Math.floor(performance.now() * SEQUENCES_PER_MILLISECOND)) >>> 0;
  }

  openSocket(version: 4 | 6): number {
    // Its end looks after what was made ahead.
    this.#startTicking();
    return this.#sockets.open(version);
  }

  router(version: 4 | 6): Address {
    const { ipv4, ipv6 } = this.#configuration;
    return (version === 6 && ipv6 !== undefined ? ipv6 : ipv4).gateway;
  }

  acknowledgeLater(direction: ToHost): void {
    this.#due.push(direction);
  }

  get isPatient(): boolean {
    return this.now - this.#impatientSince > IMPATIENCE;
  }

  acknowledgeInTime(direction: ToHost): void {
    if (this.#unanswered.size === 0) this.#answerTimer.start(ANSWER_TIME);
    this.#unanswered.add(direction);
  }

  isImpatient(): void {
    this.#impatientSince = this.now;
  }

  #acknowledgeUnanswered(): void {
    this.#answerTimer.acknowledge();
    this.updateTime();
    for (const direction of this.#unanswered) {
      if (!direction.acknowledgeWithoutAnswer(this.now - ANSWER_TIME)) this.#unanswered.delete(direction);
    }
    if (this.#unanswered.size > 0) this.#answerTimer.start(ANSWER_TIME);
  }

  readWhenFree(direction: ToContainer): void {
    this.#waiting.add(direction);
    this.#startTicking();
  }

  receivable(): number {
    return this.#incoming === undefined ? UNLIMITED : this.#incoming.left();
  }

  countReceived(bytes: number): void {
    this.#incoming?.spend(bytes);
  }

  startTimer(connection: TcpConnection): void {
    this.#timed.add(connection);
    this.#startTicking();
  }

  connected(connection: TcpConnection): void {
    this.#halfOpen.delete(connection);
  }

  lingers(connection: TcpConnection): void {
    const [oldest] = this.#lingering.size >= MAXIMUM_LINGERING ? this.#lingering : [];
    oldest?.close();
    this.#lingering.add(connection);
  }

  closed(connection: TcpConnection): void {
    this.#connections.remove(connection);
    this.#halfOpen.delete(connection);
    this.#lingering.delete(connection);
    this.#timed.delete(connection);
    this.#waiting.delete(connection.toContainer);
  }

  #startTicking(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#trimAt = this.now + TRIM_AFTER;
    this.#timer.start(TICK, TICK);
  }

  #tick(): void {
    this.#timer.acknowledge();
    this.updateTime();
    for (const connection of this.#timed) {
      if (!connection.tick(this.now)) this.#timed.delete(connection);
    }
    this.flush();
    if (this.#timed.size > 0 || this.#waiting.size > 0) {
      this.#trimAt = this.now + TRIM_AFTER;
      return;
    }
    // The traffic is over: a second later its memory is given back, and the timer stops.
    if (this.now < this.#trimAt) return;
    this.pool.trim();
    this.#sockets.release();
    this.#connections.collectRemains();
    this.#isTicking = false;
    this.#timer.start(0);
  }

  /** Resets all connections. */
  [Symbol.dispose](): void {
    this.#sockets[Symbol.dispose]();
    for (const connection of this.#connections.all()) connection.abort();
    for (const timer of [this.#timer, this.#answerTimer]) {
      this.reactor.remove(timer.descriptor.number);
      timer[Symbol.dispose]();
    }
  }
}
