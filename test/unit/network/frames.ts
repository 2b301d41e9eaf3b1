/* Frames as a container could send them, right in all fields unless a test says otherwise. */
import { CONTAINER_MAC, STACK_MAC } from "./stack-on-socket.ts";

export function internetChecksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(
    parts.map((part) => (part.length % 2 === 0 ? part : Buffer.concat([part, Buffer.alloc(1)]))),
  );
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function ethernet(type: number, payload: Uint8Array): Buffer {
  const header = Buffer.from(`${STACK_MAC}${CONTAINER_MAC}0000`, "hex");
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

function addressOf(text: string): Buffer {
  return Buffer.from(text.split(".").map(Number));
}

export interface Ipv4Options {
  readonly source?: string;
  readonly destination?: string;
  readonly hops?: number;
  readonly identification?: number;
  /** Flags and offset, as in the header. */
  readonly fragment?: number;
}

/** A frame with an IPv4 packet. */
export function ipv4(protocol: number, payload: Uint8Array, options: Ipv4Options = {}): Buffer {
  const { source = "10.0.2.100", destination = "10.0.2.2", hops = 64, identification = 1, fragment = 0 } = options;
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(identification, 4);
  header.writeUInt16BE(fragment, 6);
  header[8] = hops;
  header[9] = protocol;
  addressOf(source).copy(header, 12);
  addressOf(destination).copy(header, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return ethernet(0x0800, Buffer.concat([header, payload]));
}

export interface Ipv6Options {
  readonly destination: Uint8Array;
  /** Where the payload has its checksum. */
  readonly checksumOffset: number;
  /** Bytes that the header says more than there are. */
  readonly excess?: number;
}

/** A frame with an IPv6 packet from fd00::100. */
export function ipv6(protocol: number, payload: Uint8Array, options: Ipv6Options): Buffer {
  const { destination, checksumOffset, excess = 0 } = options;
  const ends = Buffer.concat([Buffer.from("fd000000000000000000000000000100", "hex"), destination]);
  const transport = Buffer.from(payload);
  transport.writeUInt16BE(0, checksumOffset);
  const pseudo = Buffer.concat([
    ends,
    Buffer.from([0, 0, transport.length >> 8, transport.length & 0xff, 0, 0, 0, protocol]),
  ]);
  transport.writeUInt16BE(internetChecksum(pseudo, transport), checksumOffset);
  const header = Buffer.from([0x60, 0, 0, 0, 0, 0, protocol, 64]);
  header.writeUInt16BE(transport.length + excess, 4);
  return ethernet(0x86dd, Buffer.concat([header, ends, transport]));
}

function withChecksum(
  protocol: number,
  transport: Buffer,
  field: number,
  { source, destination }: Ipv4Options,
): Buffer {
  const pseudo = Buffer.concat([
    addressOf(source ?? "10.0.2.100"),
    addressOf(destination ?? "10.0.2.2"),
    Buffer.from([0, protocol, transport.length >> 8, transport.length & 0xff]),
  ]);
  transport.writeUInt16BE(internetChecksum(pseudo, transport), field);
  return transport;
}

export interface TcpOptions extends Ipv4Options {
  readonly sourcePort?: number;
  readonly destinationPort: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags: number;
  readonly window?: number;
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

/** A frame with a TCP segment. */
export function tcp(segment: TcpOptions): Buffer {
  const { sourcePort = 40000, sequence = 1000, acknowledgement = 0, window = 65535 } = segment;
  const options = Buffer.from(segment.options ?? []);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(segment.destinationPort, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(acknowledgement >>> 0, 8);
  header[12] = ((20 + options.length) >> 2) << 4;
  header[13] = segment.flags;
  header.writeUInt16BE(window, 14);
  const transport = Buffer.concat([header, options, segment.payload ?? Buffer.alloc(0)]);
  return ipv4(6, withChecksum(6, transport, 16, segment), segment);
}

/** A UDP datagram, not in a packet yet. */
export function udpDatagram(
  sourcePort: number,
  destinationPort: number,
  payload: Uint8Array,
  options: Ipv4Options = {},
): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return withChecksum(17, Buffer.concat([header, payload]), 6, options);
}

/** An ARP request. */
export function arpRequest(sender: string, target: string): Buffer {
  const body = Buffer.from(`0001080006040001${CONTAINER_MAC}`, "hex");
  return ethernet(0x0806, Buffer.concat([body, addressOf(sender), Buffer.alloc(6), addressOf(target)]));
}

/** What a TCP segment that came says. */
export function readTcp(frame: Buffer) {
  const transport = 34;
  return {
    sourcePort: frame.readUInt16BE(transport),
    destinationPort: frame.readUInt16BE(transport + 2),
    sequence: frame.readUInt32BE(transport + 4),
    acknowledgement: frame.readUInt32BE(transport + 8),
    flags: frame[transport + 13] ?? 0,
    window: frame.readUInt16BE(transport + 14),
    payload: frame.subarray(transport + ((frame[transport + 12] ?? 0) >> 4) * 4),
  };
}
