/*
 * The header of a TCP segment, RFC 9293 section 3.1, and the two options that the stack takes part in: the maximum
 * segment size, and the scale of windows (RFC 7323).
 *
 * The others are left out on purpose. The link is memory: it does not reorder, and loses only when a queue is full, so
 * selective acknowledgements would hardly ever have anything to say; and no segment of old times turns up late, which
 * is what timestamps protect sequence numbers from.
 */
import { checksum } from "../checksum.ts";
import type { Packet } from "../packet.ts";

/** Bits of the header. */
export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

/** Bytes of a header without options. */
export const TCP_HEADER_SIZE = 20;
/** The most payload of one segment: with its headers it is an IP packet of at most 65535 bytes. */
export const MAXIMUM_PAYLOAD = 65480;
/** How far our windows are shifted. */
export const WINDOW_SCALE = 7;
/** Offset of the checksum. */
export const TCP_CHECKSUM_OFFSET = 16;

const OPTION_END = 0;
const OPTION_NO_OPERATION = 1;
const OPTION_MAXIMUM_SEGMENT_SIZE = 2;
const OPTION_WINDOW_SCALE = 3;
const MAXIMUM_WINDOW_SCALE = 14;
/** Of a peer that does not say, RFC 9293 section 3.7.1. */
const DEFAULT_SEGMENT_SIZE = 536;
/** What Linux takes for the least. */
const MINIMUM_SEGMENT_SIZE = 48;

/** A segment from the container; one object for all, as `Packet`. */
export class Segment {
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** Not scaled. */
  window = 0;
  urgentPointer = 0;
  /** Offset of the options and of the payload in the pool's memory, and the payload's bytes. */
  options = 0;
  payload = 0;
  payloadLength = 0;

  /**
   * Reads the header of a packet.
   * @returns false for what is malformed or damaged
   */
  read(view: DataView, packet: Packet): boolean {
    const { transport, end } = packet;
    if (end - transport < TCP_HEADER_SIZE) return false;
    const headerLength = (view.getUint8(transport + 12) >>> 4) << 2;
    if (headerLength < TCP_HEADER_SIZE || transport + headerLength > end) return false;
    if (!packet.isChecksumOffloaded && checksum(view, transport, end, packet.pseudoHeaderSum()) !== 0) return false;
    this.sourcePort = view.getUint16(transport);
    this.destinationPort = view.getUint16(transport + 2);
    this.sequence = view.getUint32(transport + 4);
    this.acknowledgement = view.getUint32(transport + 8);
    this.flags = view.getUint8(transport + 13);
    this.window = view.getUint16(transport + 14);
    this.urgentPointer = view.getUint16(transport + 18);
    this.options = transport + TCP_HEADER_SIZE;
    this.payload = transport + headerLength;
    this.payloadLength = end - this.payload;
    return true;
  }

  /** The options of a SYN: the container's largest segment, and the scale of its windows if it takes part in that. */
  readOptions(view: DataView): { readonly maximumSegmentSize: number; readonly windowScale: number | undefined } {
    let maximumSegmentSize = DEFAULT_SEGMENT_SIZE;
    let windowScale: number | undefined;
    const end = this.payload;
    for (let offset = this.options; offset < end; ) {
      const kind = view.getUint8(offset);
      if (kind === OPTION_END) break;
      if (kind === OPTION_NO_OPERATION) {
        offset++;
        continue;
      }
      if (offset + 1 >= end) break;
      const length = view.getUint8(offset + 1);
      if (length < 2 || offset + length > end) break;
      if (kind === OPTION_MAXIMUM_SEGMENT_SIZE && length === 4) {
        maximumSegmentSize = Math.max(view.getUint16(offset + 2), MINIMUM_SEGMENT_SIZE);
      }
      if (kind === OPTION_WINDOW_SCALE && length === 3) {
        windowScale = Math.min(view.getUint8(offset + 2), MAXIMUM_WINDOW_SCALE);
      }
      offset += length;
    }
    return { maximumSegmentSize, windowScale };
  }
}

/**
 * Writes the options of a SYN.
 * @param windowScale undefined to leave it out
 * @returns their bytes
 */
export function writeSynOptions(
  view: DataView,
  offset: number,
  maximumSegmentSize: number,
  windowScale: number | undefined,
): number {
  view.setUint16(offset, (OPTION_MAXIMUM_SEGMENT_SIZE << 8) | 4);
  view.setUint16(offset + 2, maximumSegmentSize);
  if (windowScale === undefined) return 4;
  view.setUint32(offset + 4, (OPTION_NO_OPERATION << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | windowScale);
  return 8;
}

/** Writes a header; its checksum is left to the link. */
export function writeTcpHeader(
  view: DataView,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgement: number,
  flags: number,
  window: number,
  urgentPointer: number,
  optionsLength: number,
): void {
  view.setUint16(offset, sourcePort);
  view.setUint16(offset + 2, destinationPort);
  view.setUint32(offset + 4, sequence);
  view.setUint32(offset + 8, acknowledgement);
  view.setUint8(offset + 12, ((TCP_HEADER_SIZE + optionsLength) >>> 2) << 4);
  view.setUint8(offset + 13, flags);
  view.setUint16(offset + 14, window);
  view.setUint16(offset + 18, urgentPointer);
}
