/*
 * Theory of operation: UDP (RFC 768) and echoes (ping, RFC 792, RFC 4443).
 *
 * Neither has connections, so a flow is made of what is seen: datagrams between the same two ends, or echoes with the
 * same identifier to the same host. Each flow has a socket of the host that is connected to the other end: the kernel
 * then lets nothing else in, tells ICMP errors of exactly this flow, and sending needs no address. An echo's socket is a
 * ping socket (icmp(7)), which the administrator permits by net.ipv4.ping_group_range; where it is not permitted the
 * container is told that echoes are prohibited. The stack's own addresses answer echoes themselves.
 *
 * A published port is different: one socket of the host, bound to it, serves all clients, and each client that
 * sends something is a flow that shares it, so that the container sees the client's address and its answers find back.
 *
 * Flows end by a time without datagrams: short while nothing has come back, or longer for a conversation (the times of
 * Linux's connection tracking). There are only so many; the longest unused ones give way.
 *
 * A connected socket keeps the host's address that it has begun with. When that is gone, or the way leads elsewhere now (a
 * VPN, another Wi-Fi), the container would not be heard any more, however long it goes on. So a flow whose socket has no
 * way ends, and the datagram begins a new one; and so does one that nobody answers, if the host would send from another
 * address today, which is looked after every few seconds.
 *
 * ICMP errors go back to the container as they come, with the host that sent them as their source; and the container's
 * TTL is passed on, one less: so traceroute works from inside.
 */
import { Errno } from "../sys/errno.ts";
import {
  type Address,
  type Endpoint,
  getOption,
  isVersion4,
  SocketOption,
  send,
  sendTo,
  setOption,
} from "../sys/internet-socket.ts";
import { Event, type Reactor, Timer } from "../sys/reactor.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { isMulticast, sameAddress, UNSPECIFIED_4, UNSPECIFIED_6 } from "./address.ts";
import { checksum } from "./checksum.ts";
import type { NetworkConfiguration } from "./configuration.ts";
import { DatagramFlow } from "./datagram-flow.ts";
import { DatagramReceiver } from "./datagram-receiver.ts";
import { isElsewhere, isWithoutWay, openDatagramSocket } from "./datagram-socket.ts";
import { type Destination, destinationOf, isOwnAddress } from "./destination.ts";
import type { DnsForwarder } from "./dns/forwarder.ts";
import type { Egress } from "./egress.ts";
import type { FlowSummary } from "./flow-summary.ts";
import { FlowTable } from "./flow-table.ts";
import type { FramePool } from "./frame-pool.ts";
import {
  type IcmpError,
  icmpError,
  packetTooBig,
  type Refusal,
  refusalOf,
  sendErrorAbout,
  sendErrorAboutFlow,
} from "./icmp-error.ts";
import { IpProtocol } from "./ip-protocol.ts";
import type { Output } from "./output.ts";
import type { Packet } from "./packet.ts";
import type { ByteBudget } from "./shaping.ts";

/** What a container is told of a datagram that is not sent on. */
const REFUSALS = {
  refused: "port unreachable",
  unreachable: "host unreachable",
  prohibited: "prohibited",
} as const satisfies Readonly<Record<string, Refusal>>;
const UDP_HEADER_SIZE = 8;
const UDP_CHECKSUM_OFFSET = 6;
const ECHO_HEADER_SIZE = 8;
const ECHO_CHECKSUM_OFFSET = 2;
const ECHO_4 = { request: 8, reply: 0 };
const ECHO_6 = { request: 128, reply: 129 };
const MAXIMUM_FLOWS = 8_192;
/** The part of them that gives way at once when there are too many. */
const EVICTED_PART = 8;
/** Milliseconds that a flow lives without datagrams: before an answer has come, and after. */
const UNANSWERED_TIME = 30_000;
const ANSWERED_TIME = 180_000;
/** Milliseconds between looks at the flows' times. */
const TICK = 5_000;
/** How many unanswered flows are looked after then, whether the host would send from another address: five calls each. */
const MOST_ASKED = 64;
/** Rounds of receiving from one socket, before others have their turn. */
const ROUNDS_PER_TURN = 4;

export class Datagrams implements Disposable {
  readonly #reactor: Reactor;
  readonly #pool: FramePool;
  readonly #output: Output;
  readonly #configuration: NetworkConfiguration;
  readonly #egress: Egress;
  readonly #incoming: ByteBudget | undefined;
  readonly #dns: DnsForwarder;
  readonly #flows = new FlowTable<DatagramFlow>();
  readonly #receiver: DatagramReceiver;
  readonly #timer = new Timer();
  #isTicking = false;

  constructor(
    reactor: Reactor,
    pool: FramePool,
    output: Output,
    configuration: NetworkConfiguration,
    egress: Egress,
    incoming: ByteBudget | undefined,
    dns: DnsForwarder,
  ) {
    this.#reactor = reactor;
    this.#pool = pool;
    this.#output = output;
    this.#configuration = configuration;
    this.#egress = egress;
    this.#incoming = incoming;
    this.#dns = dns;
    this.#receiver = new DatagramReceiver(pool);
    reactor.add(this.#timer.descriptor.number, Event.IN, () => this.#tick());
  }

  /** How many flows there are. */
  get size(): number {
    return this.#flows.size;
  }

  /** What there is at the moment. */
  summaries(): FlowSummary[] {
    return this.#flows.all().map((flow) => {
      const { protocol, inside, insidePort, outside, outsidePort, sent, received } = flow;
      return {
        protocol: protocol === IpProtocol.UDP ? "udp" : "icmp",
        inside: { address: inside, port: insidePort },
        outside: { address: outside, port: outsidePort },
        sent,
        received,
        state: "",
        name: this.#egress.nameOf(outside),
      };
    });
  }

  /** Handles a UDP datagram from the container. */
  handleUdp(packet: Packet): void {
    const { view } = this.#pool;
    const { transport, version } = packet;
    if (packet.end - transport < UDP_HEADER_SIZE) return;
    const length = view.getUint16(transport + 4);
    if (length < UDP_HEADER_SIZE || transport + length > packet.end) return;
    packet.end = transport + length;
    const sum = view.getUint16(transport + UDP_CHECKSUM_OFFSET);
    const isSummed = sum !== 0 || version === 6;
    if (
      !packet.isChecksumOffloaded &&
      isSummed &&
      checksum(view, transport, packet.end, packet.pseudoHeaderSum()) !== 0
    ) {
      return;
    }
    const insidePort = view.getUint16(transport);
    const outsidePort = view.getUint16(transport + 2);
    const payload = transport + UDP_HEADER_SIZE;
    const known = this.#flows.findFor(packet, insidePort, outsidePort);
    if (known !== undefined && this.#send(known, packet, payload) === 0) return;
    if (outsidePort === 0 || !isPossibleSource(packet)) return;
    const where = destinationOf(this.#configuration, this.#egress, packet.destination, outsidePort);
    if (where === "resolver") {
      const client = { address: packet.source, port: insidePort };
      this.#dns.handle(packet, payload, client, packet.destination);
      return;
    }
    this.#begin(packet, payload, where, insidePort, outsidePort);
  }

  /** Handles an echo request from the container; true when the message was one. */
  handleEcho(packet: Packet): boolean {
    const { view } = this.#pool;
    const { transport, version } = packet;
    const { request } = version === 4 ? ECHO_4 : ECHO_6;
    if (packet.end - transport < ECHO_HEADER_SIZE || view.getUint16(transport) !== request << 8) return false;
    const sum = version === 4 ? 0 : packet.pseudoHeaderSum();
    if (!packet.isChecksumOffloaded && checksum(view, transport, packet.end, sum) !== 0) return true;
    if (!isPossibleSource(packet)) return true;
    const identifier = view.getUint16(transport + 4);
    const known = this.#flows.findFor(packet, identifier, 0);
    if (known !== undefined && this.#send(known, packet, transport) === 0) return true;
    if (isOwnAddress(this.#configuration, packet.destination)) this.#answerEcho(packet);
    else
      this.#begin(
        packet,
        transport,
        destinationOf(this.#configuration, this.#egress, packet.destination, 0),
        identifier,
        0,
      );
    return true;
  }

  /**
   * Receives what a published port's socket has for the container.
   * @param target the container's end
   * @param clientSeen the client's address as the container is to see it
   */
  receiveFromClients(socket: number, target: Endpoint, clientSeen: (client: Address) => Address): void {
    const count = this.#receiver.receive(socket);
    for (let index = 0; index < count; index++) {
      const client = this.#receiver.sender(index);
      const outside = clientSeen(client.address);
      const { address, port } = target;
      let flow = this.#flows.find(IpProtocol.UDP, address, port, outside, client.port);
      if (flow === undefined) {
        flow = new DatagramFlow(IpProtocol.UDP, target, { address: outside, port: client.port }, socket, client);
        this.#add(flow);
      }
      this.#deliver(flow, index);
    }
  }

  /** Forgets the clients of a published port whose socket is going to be closed. */
  forgetClients(socket: number): void {
    for (const flow of this.#flows.all()) if (flow.client !== undefined && flow.socket === socket) this.#end(flow);
  }

  /** Sends a datagram to the container whose payload lies at an address. */
  sendUdp(source: Endpoint, destination: Endpoint, address: number, length: number): void {
    const output = this.#output;
    const { view, link } = output;
    const udpLength = UDP_HEADER_SIZE + length;
    const options = { mayFragment: true };
    const transport = output.begin(IpProtocol.UDP, source.address, destination.address, udpLength, options);
    view.setUint16(transport, source.port);
    view.setUint16(transport + 2, destination.port);
    view.setUint16(transport + 4, udpLength);
    output.offloadChecksum(
      IpProtocol.UDP,
      source.address,
      destination.address,
      udpLength,
      transport,
      UDP_CHECKSUM_OFFSET,
    );
    if (length === 0) link.send(transport + UDP_HEADER_SIZE);
    else link.sendWithPayload(transport + UDP_HEADER_SIZE, address, length);
  }

  #begin(packet: Packet, payload: number, where: Destination, insidePort: number, outsidePort: number): void {
    if (where === "dropped" || where === "resolver") return;
    if (typeof where === "string") {
      this.#refuse(packet, REFUSALS[where]);
      return;
    }
    if (packet.hops <= 1) {
      this.#refuse(packet, "time exceeded");
      return;
    }
    const socket = openDatagramSocket(packet.protocol, { address: where.host, port: outsidePort }, this.#configuration);
    if (socket < 0) {
      this.#refuseFor(packet, -socket);
      return;
    }
    const inside = { address: packet.source, port: insidePort };
    const outside = { address: packet.destination, port: outsidePort };
    const flow = new DatagramFlow(packet.protocol, inside, outside, socket);
    this.#add(flow);
    this.#reactor.add(socket, Event.IN, (events) => this.#receive(flow, events));
    const errno = this.#send(flow, packet, payload);
    if (errno !== 0) this.#refuseFor(packet, errno);
  }

  /** @returns the errno by which the flow's socket has no way any more, whereupon the flow has ended; else 0 */
  #send(flow: DatagramFlow, packet: Packet, payload: number): number {
    flow.lastUsed = performance.now();
    flow.awaitsAnswer = true;
    if (flow.client !== undefined) flow.isAnswered = true;
    if (packet.hops !== flow.hops && flow.client === undefined) {
      if (packet.hops <= 1) {
        this.#refuse(packet, "time exceeded");
        return 0;
      }
      flow.hops = packet.hops;
      const option = packet.version === 4 ? SocketOption.IP_TTL : SocketOption.IPV6_UNICAST_HOPS;
      setOption(flow.socket, option, packet.hops - 1);
    }
    const address = this.#pool.memory.address + payload;
    const length = packet.end - payload;
    let result =
      flow.client === undefined
        ? send(flow.socket, address, length)
        : sendTo(flow.socket, address, length, flow.client);
    if (result < 0 && result !== -Errno.EAGAIN && flow.client === undefined && this.#passErrors(flow)) {
      // An error of an earlier datagram is told by the next call, whose own datagram was not sent.
      result = send(flow.socket, address, length);
    }
    if (flow.client === undefined && isWithoutWay(-result)) {
      this.#end(flow);
      return -result;
    }
    flow.sent += length;
    if (result === -Errno.EMSGSIZE) this.#tooBig(packet, flow);
    else if (result < 0) this.#refuseFor(packet, -result);
    return 0;
  }

  #tooBig(packet: Packet, flow: DatagramFlow): void {
    const { version } = packet;
    const mtu = getOption(flow.socket, version === 4 ? SocketOption.IP_MTU : SocketOption.IPV6_MTU) ?? 1280;
    this.#sendError(packet, packetTooBig(version, mtu));
  }

  #receive(flow: DatagramFlow, events: number): void {
    this.#reactor.expectAnswer();
    if ((events & Event.ERR) !== 0) this.#passErrors(flow);
    for (let round = 0; round < ROUNDS_PER_TURN; round++) {
      const count = this.#receiver.receive(flow.socket);
      if (count <= 0) return;
      flow.isAnswered = true;
      flow.awaitsAnswer = false;
      flow.lastUsed = performance.now();
      for (let index = 0; index < count; index++) {
        if (flow.protocol === IpProtocol.UDP) this.#deliver(flow, index);
        else this.#deliverEcho(flow, index);
      }
      if (count < 16) return;
    }
  }

  /** Whether a datagram of so many bytes may come in, which is then counted. */
  #mayReceive(bytes: number): boolean {
    if (this.#incoming === undefined) return true;
    if (this.#incoming.wait() > 0) return false;
    this.#incoming.spend(bytes);
    return true;
  }

  #deliver(flow: DatagramFlow, index: number): void {
    if (!this.#mayReceive(this.#receiver.length(index))) return;
    flow.lastUsed = performance.now();
    flow.received += this.#receiver.length(index);
    const source = { address: flow.outside, port: flow.outsidePort };
    const destination = { address: flow.inside, port: flow.insidePort };
    this.sendUdp(source, destination, this.#receiver.address(index), this.#receiver.length(index));
  }

  #deliverEcho(flow: DatagramFlow, index: number): void {
    const { view } = this.#pool;
    const offset = this.#receiver.offset(index);
    const length = this.#receiver.length(index);
    const { reply } = isVersion4(flow.outside) ? ECHO_4 : ECHO_6;
    if (length < ECHO_HEADER_SIZE || view.getUint8(offset) !== reply || !this.#mayReceive(length)) return;
    flow.received += length;
    this.#sendEchoReply(flow.outside, flow.inside, flow.insidePort, offset, length);
  }

  #answerEcho(packet: Packet): void {
    const { transport, end } = packet;
    const identifier = this.#pool.view.getUint16(transport + 4);
    this.#sendEchoReply(packet.destination, packet.source, identifier, transport, end - transport);
  }

  /** Sends the message at an offset of the pool's memory as an echo's reply. */
  #sendEchoReply(source: Address, destination: Address, identifier: number, offset: number, length: number): void {
    const output = this.#output;
    const { view, link } = output;
    const isFour = isVersion4(destination);
    const protocol = isFour ? IpProtocol.ICMP : IpProtocol.ICMPV6;
    const transport = output.begin(protocol, source, destination, length, { mayFragment: true });
    view.setUint16(transport, (isFour ? ECHO_4 : ECHO_6).reply << 8);
    view.setUint16(transport + 4, identifier);
    view.setUint16(transport + 6, this.#pool.view.getUint16(offset + 6));
    // ICMP's own checksum has no pseudo-header; ICMPv6's has.
    if (isFour) {
      view.setUint16(transport + ECHO_CHECKSUM_OFFSET, 0);
      link.offloadChecksum(transport, ECHO_CHECKSUM_OFFSET);
    } else output.offloadChecksum(protocol, source, destination, length, transport, ECHO_CHECKSUM_OFFSET);
    const payload = this.#pool.memory.address + offset + ECHO_HEADER_SIZE;
    if (length === ECHO_HEADER_SIZE) link.send(transport + ECHO_HEADER_SIZE);
    else link.sendWithPayload(transport + ECHO_HEADER_SIZE, payload, length - ECHO_HEADER_SIZE);
  }

  /** Tells the container of the errors in a socket's queue; whether there were any. */
  #passErrors(flow: DatagramFlow): boolean {
    let any = false;
    for (let error = this.#receiver.nextError(flow.socket); error !== undefined; ) {
      any = true;
      const version = isVersion4(flow.outside) ? 4 : 6;
      const refusal = refusalOf(error.errno);
      const icmp = error.icmp ?? (refusal === undefined ? undefined : icmpError(version, refusal));
      const from = this.#sourceOfError(flow, error.icmp === undefined ? undefined : error.offender?.address);
      if (icmp !== undefined) sendErrorAboutFlow(this.#output, flow, from, icmp);
      error = this.#receiver.nextError(flow.socket);
    }
    return any;
  }

  /** Whom the container hears an error from. */
  #sourceOfError(flow: DatagramFlow, offender: Address | undefined): Address {
    const version = isVersion4(flow.outside) ? 4 : 6;
    // The host's loopback speaks by the address that the container called.
    const { host } = flow.client === undefined ? { host: flow.outside } : { host: flow.client.address };
    if (isOwnAddress(this.#configuration, host)) return host;
    const isUsable = offender !== undefined && isVersion4(offender) === (version === 4);
    return isUsable && !sameAddress(offender, UNSPECIFIED_4) && !sameAddress(offender, UNSPECIFIED_6)
      ? offender
      : this.#router(version);
  }

  #router(version: 4 | 6): Address {
    const { ipv4, ipv6 } = this.#configuration;
    return (version === 6 && ipv6 !== undefined ? ipv6 : ipv4).gateway;
  }

  #refuse(packet: Packet, refusal: Refusal): void {
    this.#sendError(packet, icmpError(packet.version, refusal));
  }

  /** Tells the container of an error of the host's, if it can be told. */
  #refuseFor(packet: Packet, errno: number): void {
    const refusal = refusalOf(errno);
    if (refusal !== undefined) this.#refuse(packet, refusal);
  }

  #sendError(packet: Packet, error: IcmpError): void {
    const isOwn = isOwnAddress(this.#configuration, packet.destination);
    const from = isOwn ? packet.destination : this.#router(packet.version);
    sendErrorAbout(this.#output, this.#pool, packet, from, error);
  }

  #add(flow: DatagramFlow): void {
    if (this.#flows.size >= MAXIMUM_FLOWS) this.#evict();
    flow.lastUsed = performance.now();
    this.#flows.add(flow);
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#timer.start(TICK, TICK);
  }

  #evict(): void {
    const flows = this.#flows.all().sort((one, other) => one.lastUsed - other.lastUsed);
    for (const flow of flows.slice(0, flows.length / EVICTED_PART)) this.#end(flow);
  }

  #end(flow: DatagramFlow): void {
    this.#flows.remove(flow);
    if (flow.client !== undefined) return;
    this.#reactor.forget(flow.socket);
    systemCall(SystemCall.close, flow.socket);
  }

  #tick(): void {
    this.#timer.acknowledge();
    const now = performance.now();
    const waiting: DatagramFlow[] = [];
    for (const flow of this.#flows.all()) {
      const idle = now - flow.lastUsed;
      if (idle > (flow.isAnswered ? ANSWERED_TIME : UNANSWERED_TIME)) this.#end(flow);
      else if (idle <= TICK && flow.awaitsAnswer) waiting.push(flow);
    }
    // Of too many, others each time.
    const first = Math.floor(Math.random() * Math.max(1, waiting.length - MOST_ASKED + 1));
    for (const flow of waiting.slice(first, first + MOST_ASKED)) if (this.#hasOtherWay(flow)) this.#end(flow);
    if (this.#flows.size > 0) return;
    this.#receiver.release();
    this.#pool.trim();
    this.#isTicking = false;
    this.#timer.start(0);
  }

  /** Whether a flow to the same host would begin at another address of ours today. */
  #hasOtherWay({ client, protocol, socket, outside, outsidePort }: DatagramFlow): boolean {
    if (client !== undefined) return false;
    const where = destinationOf(this.#configuration, this.#egress, outside, outsidePort);
    if (typeof where === "string") return false;
    return isElsewhere(socket, protocol, { address: where.host, port: outsidePort }, this.#configuration);
  }

  /** Ends all flows. */
  [Symbol.dispose](): void {
    for (const flow of this.#flows.all()) this.#end(flow);
    this.#receiver.release();
    this.#reactor.remove(this.#timer.descriptor.number);
    this.#timer[Symbol.dispose]();
  }
}

/** Whether a packet's source is one that answers could be sent to. */
function isPossibleSource({ source }: Packet): boolean {
  return !sameAddress(source, UNSPECIFIED_4) && !sameAddress(source, UNSPECIFIED_6) && !isMulticast(source);
}
