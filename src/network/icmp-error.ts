/*
 * ICMP errors to the container, RFC 792 and RFC 4443: what becomes the errno of a program inside. A connection that
 * the host cannot make fails inside with the errno that it fails with outside (Linux: icmp_err_convert).
 *
 * Each error quotes the packet that it is about: the packet itself where it is at hand, and for a flow whose error
 * comes later, headers like those that it sent; the container's kernel looks only at addresses and ports.
 */
import { Errno } from "../sys/errno.ts";
import { type Address, isVersion4 } from "../sys/internet-socket.ts";
import { checksum } from "./checksum.ts";
import type { FramePool } from "./frame-pool.ts";
import { IpProtocol } from "./ip-protocol.ts";
import { IPV4_HEADER_SIZE, writeIpv4Header } from "./ipv4.ts";
import { IPV6_HEADER_SIZE, writeIpv6Header } from "./ipv6.ts";
import type { Output } from "./output.ts";
import { type Packet, pseudoHeaderSum } from "./packet.ts";

/** An error message: type, code, and the word behind the checksum (an MTU, or 0). */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  readonly information?: number;
}

/** Why a packet does not get to where it should. */
export type Refusal =
  | "network unreachable"
  | "host unreachable"
  | "host unknown"
  | "host isolated"
  | "source route failed"
  | "protocol unreachable"
  | "port unreachable"
  | "prohibited"
  | "time exceeded";

const VERSION_4: Readonly<Record<Refusal, IcmpError>> = {
  "network unreachable": { type: 3, code: 0 },
  "host unreachable": { type: 3, code: 1 },
  "host unknown": { type: 3, code: 7 },
  "host isolated": { type: 3, code: 8 },
  "source route failed": { type: 3, code: 5 },
  "protocol unreachable": { type: 3, code: 2 },
  "port unreachable": { type: 3, code: 3 },
  prohibited: { type: 3, code: 13 },
  "time exceeded": { type: 11, code: 0 },
};

const VERSION_6: Readonly<Record<Refusal, IcmpError>> = {
  "network unreachable": { type: 1, code: 0 },
  "host unreachable": { type: 1, code: 3 },
  // Nothing with IPv6 is called so.
  "host unknown": { type: 1, code: 3 },
  "host isolated": { type: 1, code: 3 },
  "source route failed": { type: 1, code: 3 },
  "protocol unreachable": { type: 4, code: 1, information: 6 },
  "port unreachable": { type: 1, code: 4 },
  prohibited: { type: 1, code: 1 },
  "time exceeded": { type: 3, code: 0 },
};

/** The message for a refusal. */
export function icmpError(version: 4 | 6, refusal: Refusal): IcmpError {
  return (version === 4 ? VERSION_4 : VERSION_6)[refusal];
}

/** "Fragmentation needed" or "packet too big". */
export function packetTooBig(version: 4 | 6, mtu: number): IcmpError {
  return version === 4 ? { type: 3, code: 4, information: mtu } : { type: 2, code: 0, information: mtu };
}

/**
 * What the container is to hear of an error of connect(2) or send(2).
 * @returns undefined for errors that say nothing about the network, such as a lack of descriptors
 */
export function refusalOf(errno: number): Refusal | undefined {
  switch (errno) {
    case Errno.ENETUNREACH:
    case Errno.ENETDOWN:
    case Errno.EADDRNOTAVAIL:
    case Errno.EAFNOSUPPORT:
      return "network unreachable";
    case Errno.EHOSTUNREACH:
      return "host unreachable";
    case Errno.EHOSTDOWN:
      return "host unknown";
    case Errno.ENONET:
      return "host isolated";
    case Errno.EOPNOTSUPP:
      return "source route failed";
    case Errno.EACCES:
    case Errno.EPERM:
      return "prohibited";
    case Errno.ECONNREFUSED:
      return "port unreachable";
    case Errno.EPROTO:
    case Errno.ENOPROTOOPT:
      return "protocol unreachable";
    default:
      return undefined;
  }
}

const HEADER_SIZE = 8;
/** A whole error has at most 576 bytes with IPv4, RFC 1812 section 4.3.2.3; the same is plenty with IPv6. */
const MAXIMUM_QUOTE = 576 - IPV4_HEADER_SIZE - HEADER_SIZE;

/**
 * Sends an error about a packet that the container has sent. There is none about errors, nor about groups; RFC 1122
 * section 3.2.2, RFC 4443 section 2.4.
 * @param from who says so
 */
export function sendErrorAbout(output: Output, pool: FramePool, packet: Packet, from: Address, error: IcmpError): void {
  if (isAboutError(pool.view, packet)) return;
  const length = Math.min(packet.end - packet.network, MAXIMUM_QUOTE);
  const quoted = pool.memory.buffer.subarray(packet.network, packet.network + length);
  sendError(output, from, packet.source, error, length, (offset) => {
    output.link.headers.buffer.set(quoted, offset);
  });
}

function isAboutError(view: DataView, { protocol, transport, end }: Packet): boolean {
  if (transport >= end) return false;
  const type = view.getUint8(transport);
  // Of IPv4 all but queries and their answers; of IPv6 the lower half.
  if (protocol === IpProtocol.ICMP) return type !== 8 && type !== 0 && (type < 13 || type > 18);
  return protocol === IpProtocol.ICMPV6 && type < 128;
}

/** A flow, of which an error tells. */
interface ErrorSubject {
  readonly protocol: number;
  readonly inside: Address;
  readonly outside: Address;
  /** The identifier of an echo. */
  readonly insidePort: number;
  readonly outsidePort: number;
}

/** Sends an error about a datagram that a flow has sent before. */
export function sendErrorAboutFlow(output: Output, flow: ErrorSubject, from: Address, error: IcmpError): void {
  const { view } = output;
  sendQuotingFlow(output, flow, from, error, (transport) => {
    if (flow.protocol === IpProtocol.UDP) {
      view.setUint16(transport, flow.insidePort);
      view.setUint16(transport + 2, flow.outsidePort);
      view.setUint16(transport + 4, 8);
      view.setUint16(transport + 6, 0);
    } else {
      view.setUint16(transport, flow.protocol === IpProtocol.ICMP ? 0x0800 : 0x8000);
      view.setUint16(transport + 2, 0);
      view.setUint16(transport + 4, flow.insidePort);
      view.setUint16(transport + 6, 0);
    }
  });
}

/**
 * Sends an error about a SYN that the container has sent before.
 * @param sequence its number, by which the container knows it
 */
export function sendErrorAboutSyn(
  output: Output,
  flow: ErrorSubject,
  sequence: number,
  from: Address,
  error: IcmpError,
): void {
  const { view } = output;
  sendQuotingFlow(output, flow, from, error, (transport) => {
    view.setUint16(transport, flow.insidePort);
    view.setUint16(transport + 2, flow.outsidePort);
    view.setUint32(transport + 4, sequence);
  });
}

/** Quotes an IP header and the eight bytes behind it. */
function sendQuotingFlow(
  output: Output,
  { protocol, inside, outside }: ErrorSubject,
  from: Address,
  error: IcmpError,
  writeTransport: (offset: number) => void,
): void {
  const isFour = isVersion4(outside);
  const headerSize = isFour ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE;
  sendError(output, from, inside, error, headerSize + 8, (offset) => {
    if (isFour) writeIpv4Header(output.view, offset, protocol, inside[3], outside[3], 8, 1, false);
    else writeIpv6Header(output.view, offset, protocol, inside, outside, 8, 1);
    writeTransport(offset + headerSize);
  });
}

function sendError(
  output: Output,
  from: Address,
  to: Address,
  { type, code, information = 0 }: IcmpError,
  quoteLength: number,
  writeQuote: (offset: number) => void,
): void {
  const { view, link } = output;
  const protocol = isVersion4(to) ? IpProtocol.ICMP : IpProtocol.ICMPV6;
  const length = HEADER_SIZE + quoteLength;
  const offset = output.begin(protocol, from, to, length);
  view.setUint8(offset, type);
  view.setUint8(offset + 1, code);
  view.setUint16(offset + 2, 0);
  view.setUint32(offset + 4, information);
  writeQuote(offset + HEADER_SIZE);
  const sum = protocol === IpProtocol.ICMP ? 0 : pseudoHeaderSum(from, to, length, protocol);
  view.setUint16(offset + 2, checksum(view, offset, offset + length, sum));
  link.withoutOffload();
  link.send(offset + length);
}
