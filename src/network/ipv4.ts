/*
 * IPv4, RFC 791 and RFC 1122: reading the header of a packet from the container, and writing that of one to it.
 * Options are skipped: there is no route to choose.
 */
import { checksum } from "./checksum.ts";
import type { Packet } from "./packet.ts";
import type { Reassembly } from "./reassembly.ts";

const MINIMUM_HEADER_SIZE = 20;
const MORE_FRAGMENTS = 0x2000;
const DO_NOT_FRAGMENT = 0x4000;
const FRAGMENT_OFFSET = 0x1fff;

/**
 * Reads the header, and puts fragments together.
 * @param packet with `slot`, `network` and `end`, the end of the frame; the rest is filled in
 * @param reassembly takes fragments
 * @returns whether there is a whole packet; what is malformed is dropped, as Linux does
 */
export function readIpv4(view: DataView, packet: Packet, reassembly: Reassembly): boolean {
  const { network, end } = packet;
  if (end - network < MINIMUM_HEADER_SIZE) return false;
  const first = view.getUint8(network);
  const headerSize = (first & 0xf) << 2;
  if (first >>> 4 !== 4 || headerSize < MINIMUM_HEADER_SIZE) return false;
  const length = view.getUint16(network + 2);
  if (length < headerSize || network + length > end) return false;
  if (checksum(view, network, network + headerSize) !== 0) return false;
  packet.version = 4;
  packet.transport = network + headerSize;
  // Ethernet pads short frames.
  packet.end = network + length;
  packet.hops = view.getUint8(network + 8);
  packet.protocol = view.getUint8(network + 9);
  packet.readAddresses4(view);
  const fragment = view.getUint16(network + 6);
  if ((fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) === 0) return true;
  return reassembly.add(packet, {
    identification: view.getUint16(network + 4),
    headerLength: packet.transport - network,
    offset: (fragment & FRAGMENT_OFFSET) << 3,
    isLast: (fragment & MORE_FRAGMENTS) === 0,
  });
}

/** The bytes of a header without options. */
export const IPV4_HEADER_SIZE = MINIMUM_HEADER_SIZE;

let identification = 0;

/**
 * Writes a header without options.
 * @param source and `destination`: the last words of their addresses
 * @param payloadLength bytes behind the header
 * @param mayFragment whether routers inside the container may cut the packet
 */
export function writeIpv4Header(
  view: DataView,
  offset: number,
  protocol: number,
  source: number,
  destination: number,
  payloadLength: number,
  hops: number,
  mayFragment: boolean,
): void {
  view.setUint16(offset, 0x4500);
  view.setUint16(offset + 2, MINIMUM_HEADER_SIZE + payloadLength);
  identification = mayFragment ? (identification + 1) & 0xffff : identification;
  view.setUint16(offset + 4, mayFragment ? identification : 0);
  view.setUint16(offset + 6, mayFragment ? 0 : DO_NOT_FRAGMENT);
  view.setUint8(offset + 8, hops);
  view.setUint8(offset + 9, protocol);
  view.setUint16(offset + 10, 0);
  view.setInt32(offset + 12, source);
  view.setInt32(offset + 16, destination);
  view.setUint16(offset + 10, checksum(view, offset, offset + MINIMUM_HEADER_SIZE));
}
