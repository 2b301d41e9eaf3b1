/*
 * IPv6, RFC 8200: reading the header of a packet from the container with the extension headers behind it, and writing
 * the header of one to it. Extension headers only lead to the next one: their options are for routers and for
 * destinations that know them.
 */
import { IpProtocol } from "./ip-protocol.ts";
import type { Packet } from "./packet.ts";
import type { Reassembly } from "./reassembly.ts";

/** The bytes of the header. */
export const IPV6_HEADER_SIZE = 40;
const MAXIMUM_EXTENSION_HEADERS = 8;

/**
 * Reads the headers, and puts fragments together.
 * @param packet with `slot`, `network` and `end`, the end of the frame; the rest is filled in
 * @param reassembly takes fragments
 * @returns whether there is a whole packet; what is malformed is dropped
 */
export function readIpv6(view: DataView, packet: Packet, reassembly: Reassembly): boolean {
  const { network } = packet;
  if (packet.end - network < IPV6_HEADER_SIZE || view.getUint8(network) >>> 4 !== 6) return false;
  const end = network + IPV6_HEADER_SIZE + view.getUint16(network + 4);
  if (end > packet.end) return false;
  packet.version = 6;
  packet.end = end;
  packet.hops = view.getUint8(network + 7);
  packet.readAddresses6(view);
  // A mapped address on the wire would pass for IPv4 everywhere above; RFC 4942 section 2.2.
  if (isMapped(packet.source0, packet.source1, packet.source2)) return false;
  if (isMapped(packet.destination0, packet.destination1, packet.destination2)) return false;
  let protocol = view.getUint8(network + 6);
  let offset = network + IPV6_HEADER_SIZE;
  for (let count = 0; count < MAXIMUM_EXTENSION_HEADERS; count++) {
    switch (protocol) {
      case IpProtocol.HOP_BY_HOP:
      case IpProtocol.ROUTING:
      case IpProtocol.DESTINATION_OPTIONS:
      case IpProtocol.AUTHENTICATION: {
        if (offset + 8 > end) return false;
        const length = view.getUint8(offset + 1);
        const next = view.getUint8(offset);
        offset += protocol === IpProtocol.AUTHENTICATION ? (length + 2) << 2 : (length + 1) << 3;
        protocol = next;
        if (offset > end) return false;
        break;
      }
      case IpProtocol.FRAGMENT: {
        if (offset + 8 > end) return false;
        const fragment = view.getUint16(offset + 2);
        packet.protocol = view.getUint8(offset);
        packet.transport = offset + 8;
        const isLast = (fragment & 1) === 0;
        // An atomic fragment is a whole packet; RFC 6946.
        if ((fragment & 0xfff9) === 0) return true;
        return reassembly.add(packet, {
          identification: view.getUint32(offset + 4),
          // Extension headers before the fragment's are of no use any more.
          headerLength: IPV6_HEADER_SIZE,
          offset: fragment & 0xfff8,
          isLast,
        });
      }
      default:
        packet.protocol = protocol;
        packet.transport = offset;
        return protocol !== IpProtocol.NO_NEXT_HEADER;
    }
  }
  return false;
}

function isMapped(first: number, second: number, third: number): boolean {
  return first === 0 && second === 0 && third === 0xffff;
}

/**
 * Writes a header.
 * @param payloadLength bytes behind it
 */
export function writeIpv6Header(
  view: DataView,
  offset: number,
  protocol: number,
  source: readonly [number, number, number, number],
  destination: readonly [number, number, number, number],
  payloadLength: number,
  hops: number,
): void {
  view.setUint32(offset, 0x60000000);
  view.setUint16(offset + 4, payloadLength);
  view.setUint8(offset + 6, protocol);
  view.setUint8(offset + 7, hops);
  view.setInt32(offset + 8, source[0]);
  view.setInt32(offset + 12, source[1]);
  view.setInt32(offset + 16, source[2]);
  view.setInt32(offset + 20, source[3]);
  view.setInt32(offset + 24, destination[0]);
  view.setInt32(offset + 28, destination[1]);
  view.setInt32(offset + 32, destination[2]);
  view.setInt32(offset + 36, destination[3]);
}
