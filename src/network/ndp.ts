/*
 * Neighbor discovery, RFC 4861. As with ARP the stack answers for every address but the container's own, and probes for
 * an address in use (RFC 4862) only where the address is its own, as is everything on a link that others share. Routers' solicitations are answered where the
 * container is to configure itself by them.
 */
import type { Address } from "../sys/internet-socket.ts";
import { sameAddress, UNSPECIFIED_6 } from "./address.ts";
import { checksum } from "./checksum.ts";
import { type NetworkConfiguration, speaksForItself } from "./configuration.ts";
import { isOwnAddress } from "./destination.ts";
import { STACK_HARDWARE_ADDRESS, writeHardwareAddress } from "./ethernet.ts";
import { IpProtocol } from "./ip-protocol.ts";
import type { Output } from "./output.ts";
import { type Packet, pseudoHeaderSum } from "./packet.ts";

const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOR_SOLICITATION = 135;
const NEIGHBOR_ADVERTISEMENT = 136;
const SOURCE_LINK_ADDRESS = 1;
const TARGET_LINK_ADDRESS = 2;
const PREFIX_INFORMATION = 3;
/** Nothing of neighbor discovery has passed a router. */
const HOPS = 255;
const FOREVER = 0xffffffff;

/** The stack's link-local address, made of its hardware address; RFC 4291 appendix A. */
export const ROUTER_ADDRESS: Address = [0xfe800000 | 0, 0, 0x50550aff, 0xfe000202 | 0];
const ALL_NODES: Address = [0xff020000 | 0, 0, 0, 1];

/**
 * Answers a message of neighbor discovery.
 * @returns whether it was one
 */
export function answerNeighborDiscovery(
  view: DataView,
  packet: Packet,
  output: Output,
  configuration: NetworkConfiguration,
): boolean {
  const { transport, end } = packet;
  const type = view.getUint8(transport);
  if (type < ROUTER_SOLICITATION || type > 137) return false;
  if (packet.hops !== HOPS || view.getUint8(transport + 1) !== 0) return true;
  if (type === NEIGHBOR_SOLICITATION && end - transport >= 24) answerSolicitation(view, packet, output, configuration);
  if (type === ROUTER_SOLICITATION && configuration.advertise) advertise(packet, output, configuration);
  return true;
}

function answerSolicitation(view: DataView, packet: Packet, output: Output, configuration: NetworkConfiguration): void {
  const offset = packet.transport + 8;
  const target: Address = [
    view.getInt32(offset),
    view.getInt32(offset + 4),
    view.getInt32(offset + 8),
    view.getInt32(offset + 12),
  ];
  const { source } = packet;
  const isProbe = sameAddress(source, UNSPECIFIED_6);
  const isOwn = sameAddress(target, ROUTER_ADDRESS) || isOwnAddress(configuration, target);
  if (sameAddress(source, target) || ((isProbe || speaksForItself(configuration)) && !isOwn)) return;
  const ROUTER_SOLICITED_OVERRIDE = 0xe0000000;
  const ROUTER_OVERRIDE = 0xa0000000;
  send(output, target, isProbe ? ALL_NODES : source, NEIGHBOR_ADVERTISEMENT, (message) => {
    message.word(isProbe ? ROUTER_OVERRIDE : ROUTER_SOLICITED_OVERRIDE);
    message.address(target);
    message.linkAddress(TARGET_LINK_ADDRESS);
  });
}

function advertise(packet: Packet, output: Output, { ipv6, mtu }: NetworkConfiguration): void {
  if (ipv6 === undefined) return;
  const { source } = packet;
  const destination = sameAddress(source, UNSPECIFIED_6) ? ALL_NODES : source;
  const ROUTER_LIFETIME = 9000;
  const ON_LINK_AND_AUTONOMOUS = 0xc0;
  const MTU_OPTION = 0x05010000;
  send(output, ROUTER_ADDRESS, destination, ROUTER_ADVERTISEMENT, (message) => {
    message.word((HOPS << 24) | ROUTER_LIFETIME);
    message.word(0);
    message.word(0);
    message.linkAddress(SOURCE_LINK_ADDRESS);
    message.word(MTU_OPTION);
    message.word(mtu);
    message.word((PREFIX_INFORMATION << 24) | (4 << 16) | (ipv6.prefixLength << 8) | ON_LINK_AND_AUTONOMOUS);
    message.word(FOREVER);
    message.word(FOREVER);
    message.word(0);
    const [first, second] = ipv6.gateway;
    message.address([first, second, 0, 0]);
  });
}

/** The body of a message in the making. */
class Message {
  readonly #view: DataView;
  offset: number;

  constructor(view: DataView, offset: number) {
    this.#view = view;
    this.offset = offset;
  }

  word(value: number): void {
    this.#view.setInt32(this.offset, value | 0);
    this.offset += 4;
  }

  address(address: Address): void {
    for (const word of address) this.word(word);
  }

  linkAddress(option: number): void {
    this.#view.setUint16(this.offset, (option << 8) | 1);
    writeHardwareAddress(this.#view, this.offset + 2, STACK_HARDWARE_ADDRESS);
    this.offset += 8;
  }
}

function send(
  output: Output,
  source: Address,
  destination: Address,
  type: number,
  write: (message: Message) => void,
): void {
  const { view, link } = output;
  const protocol = IpProtocol.ICMPV6;
  // The length is known when the body is written; the headers do not depend on what they stand before.
  const offset = output.begin(protocol, source, destination, 0, { hops: HOPS });
  view.setUint32(offset, type << 24);
  const message = new Message(view, offset + 4);
  write(message);
  const length = message.offset - offset;
  output.begin(protocol, source, destination, length, { hops: HOPS });
  const sum = pseudoHeaderSum(source, destination, length, protocol);
  view.setUint16(offset + 2, checksum(view, offset, offset + length, sum));
  link.withoutOffload();
  link.send(offset + length);
}
