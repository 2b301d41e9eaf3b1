/*
 * Theory of operation: what a container sends to others of its network, for those who look at it.
 *
 * Frames between containers pass by the stack (shared-link.ts), and each supervisor only sees those that its own
 * container sends: so a flow's other half is in the other's table, and whoever wants the whole asks both. Nothing is
 * decided here, only counted: by addresses and ports, in one look at a frame's headers and without memory for it.
 * Later fragments of a packet have no ports, and are not counted.
 *
 * There is no timer. A flow is forgotten when the table is looked at, or full, and it has been silent for long.
 */
import type { Address } from "../../sys/internet-socket.ts";
import { ETHERNET_HEADER_SIZE, EtherType } from "../ethernet.ts";
import type { FlowSummary } from "../flow-summary.ts";
import { FlowTable } from "../flow-table.ts";
import { IpProtocol } from "../ip-protocol.ts";
import { IPV6_HEADER_SIZE } from "../ipv6.ts";
import { Packet } from "../packet.ts";
import { TcpFlag } from "../tcp/segment.ts";

const MAXIMUM_FLOWS = 4_096;
/** The part of them that gives way at once when there are too many. */
const EVICTED_PART = 8;
/** Milliseconds of silence after which a flow is forgotten, and a connection that does not say that it has ended. */
const FLOW_TIME = 180_000;
const CONNECTION_TIME = 3_600_000;
const UDP_HEADER_SIZE = 8;
const ICMP_HEADER_SIZE = 8;
/** Types of ICMP and ICMPv6. */
const ECHO_REQUESTS: ReadonlySet<number> = new Set([8, 128]);
const ECHO_REPLIES: ReadonlySet<number> = new Set([0, 129]);

/** One direction of a flow. */
class LinkFlow {
  readonly protocol: number;
  readonly inside: Address;
  readonly insidePort: number;
  readonly outside: Address;
  readonly outsidePort: number;
  hash = 0;
  nextInBucket: LinkFlow | undefined = undefined;
  sent = 0;
  lastUsed = 0;
  /** Of a TCP connection; `closing` when this end sends no more, `reset` when there is none any more. */
  state: "" | "syn sent" | "established" | "closing" | "reset" = "";

  constructor({ protocol, source, destination }: Packet, insidePort: number, outsidePort: number) {
    this.protocol = protocol;
    this.inside = source;
    this.insidePort = insidePort;
    this.outside = destination;
    this.outsidePort = outsidePort;
  }

  get isOver(): boolean {
    const isEnding = this.protocol !== IpProtocol.TCP || this.state === "closing" || this.state === "reset";
    return performance.now() - this.lastUsed > (isEnding ? FLOW_TIME : CONNECTION_TIME);
  }
}

/** The flows of one container on one network; see the head of this file. */
export class LinkFlows {
  readonly #flows = new FlowTable<LinkFlow>();
  readonly #packet = new Packet();

  /**
   * Counts a frame that the container has sent.
   * @param ethernet and `end`: where it lies in `view`
   */
  count(view: DataView, ethernet: number, end: number): void {
    const packet = this.#packet;
    if (!readHeaders(view, ethernet + ETHERNET_HEADER_SIZE, end, packet)) return;
    const { transport, protocol } = packet;
    if (protocol === IpProtocol.TCP) {
      if (transport + 20 > packet.end) return;
      const flow = this.#flow(packet, view.getUint16(transport), view.getUint16(transport + 2));
      this.#add(flow, packet.end - transport - (view.getUint8(transport + 12) >> 4) * 4);
      const flags = view.getUint8(transport + 13);
      if ((flags & TcpFlag.RST) !== 0) flow.state = "reset";
      else if ((flags & TcpFlag.SYN) !== 0) flow.state = (flags & TcpFlag.ACK) === 0 ? "syn sent" : "established";
      else if ((flags & TcpFlag.FIN) !== 0) flow.state = "closing";
      else if (flow.state === "" || flow.state === "syn sent") flow.state = "established";
    } else if (protocol === IpProtocol.UDP) {
      if (transport + UDP_HEADER_SIZE > packet.end) return;
      const flow = this.#flow(packet, view.getUint16(transport), view.getUint16(transport + 2));
      this.#add(flow, packet.end - transport - UDP_HEADER_SIZE);
    } else {
      if (transport + ICMP_HEADER_SIZE > packet.end) return;
      const type = view.getUint8(transport);
      const identifier = view.getUint16(transport + 4);
      // As the stack has it: the one who asks has the identifier for a port.
      if (ECHO_REQUESTS.has(type)) this.#add(this.#flow(packet, identifier, 0), packet.end - transport);
      else if (ECHO_REPLIES.has(type)) this.#add(this.#flow(packet, 0, identifier), packet.end - transport);
    }
  }

  #flow(packet: Packet, insidePort: number, outsidePort: number): LinkFlow {
    const known = this.#flows.findFor(packet, insidePort, outsidePort);
    if (known !== undefined) return known;
    if (this.#flows.size >= MAXIMUM_FLOWS) this.#evict();
    const flow = new LinkFlow(packet, insidePort, outsidePort);
    this.#flows.add(flow);
    return flow;
  }

  #add(flow: LinkFlow, bytes: number): void {
    flow.sent += Math.max(bytes, 0);
    flow.lastUsed = performance.now();
  }

  #evict(): void {
    const flows = this.#flows.all().sort((one, other) => one.lastUsed - other.lastUsed);
    for (const flow of flows.slice(0, flows.length / EVICTED_PART)) this.#flows.remove(flow);
  }

  /** What there is at the moment: what the container has sent. */
  summaries(): FlowSummary[] {
    const flows = this.#flows.all();
    for (const flow of flows) if (flow.isOver) this.#flows.remove(flow);
    return flows
      .filter(({ isOver }) => !isOver)
      .map(({ protocol, inside, insidePort, outside, outsidePort, sent, state }) => ({
        protocol: protocol === IpProtocol.TCP ? "tcp" : protocol === IpProtocol.UDP ? "udp" : "icmp",
        inside: { address: inside, port: insidePort },
        outside: { address: outside, port: outsidePort },
        sent,
        received: 0,
        state,
        name: undefined,
      }));
  }
}

/** Reads who sends what to whom; false for what is no packet of a flow. */
function readHeaders(view: DataView, network: number, end: number, packet: Packet): boolean {
  if (network + 20 > end) return false;
  packet.network = network;
  const type = view.getUint16(network - 2);
  if (type === EtherType.IPV4) {
    if ((view.getUint16(network + 6) & 0x1fff) !== 0) return false;
    packet.protocol = view.getUint8(network + 9);
    packet.transport = network + (view.getUint8(network) & 0xf) * 4;
    packet.end = Math.min(network + view.getUint16(network + 2), end);
    packet.readAddresses4(view);
    return (
      packet.protocol === IpProtocol.TCP || packet.protocol === IpProtocol.UDP || packet.protocol === IpProtocol.ICMP
    );
  }
  if (type !== EtherType.IPV6 || network + IPV6_HEADER_SIZE > end) return false;
  packet.protocol = view.getUint8(network + 6);
  packet.transport = network + IPV6_HEADER_SIZE;
  packet.end = Math.min(packet.transport + view.getUint16(network + 4), end);
  packet.readAddresses6(view);
  return (
    packet.protocol === IpProtocol.TCP || packet.protocol === IpProtocol.UDP || packet.protocol === IpProtocol.ICMPV6
  );
}
