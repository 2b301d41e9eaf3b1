import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../../src/network/address.ts";
import { AddressGuard } from "../../../../src/network/switch/address-guard.ts";
import type { Address } from "../../../../src/sys/internet-socket.ts";
import { arpRequest, ipv4, tcp } from "../frames.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const guard = new AddressGuard([address("10.0.2.1"), address("fd00::1")]);
guard.update([address("10.0.2.7"), address("fd00::7")]);

function admits(frame: Buffer): boolean {
  return guard.admits(new DataView(frame.buffer, frame.byteOffset, frame.length), 0, frame.length);
}

function bytesOf(text: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, word] of address(text).entries()) bytes.writeInt32BE(word, 4 * index);
  return bytes;
}

/** A frame with an IPv6 packet. */
function ipv6(source: string, next: number, payload: Buffer): Buffer {
  const header = Buffer.from("52550a0002020200000000 0186dd 6000000000000040".replaceAll(" ", ""), "hex");
  header.writeUInt16BE(payload.length, 18);
  header[20] = next;
  header[21] = 255;
  return Buffer.concat([header, bytesOf(source), bytesOf("ff02::1"), payload]);
}

/** A message of neighbor discovery about a target. */
function discovery(type: number, target: string): Buffer {
  return Buffer.concat([Buffer.from([type, 0, 0, 0, 0x20, 0, 0, 0]), bytesOf(target)]);
}

/** An extension header of 8 bytes before something. */
function extended(next: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]), payload]);
}

/** The same frame with a tag of IEEE 802.1Q. */
function tagged(frame: Buffer, protocol: number, identifier: number): Buffer {
  const tag = Buffer.from([protocol >> 8, protocol & 0xff, identifier >> 8, identifier & 0xff]);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

const syn = (source: string) => tcp({ source, destinationPort: 80, flags: 2 });

describe("what goes to others", () => {
  test.each([
    ["a packet of its own", syn("10.0.2.100")],
    ["a packet from an address that is nobody's", syn("10.0.2.200")],
    ["a question for the router's address", arpRequest("10.0.2.100", "10.0.2.1")],
    ["a probe for another's", arpRequest("0.0.0.0", "10.0.2.7")],
    ["a packet of its own in IPv6", ipv6("fd00::100", 17, Buffer.alloc(8))],
    ["an advertisement of its own", ipv6("fd00::100", 58, discovery(136, "fd00::100"))],
    ["a question for another's", ipv6("fd00::100", 58, discovery(135, "fd00::7"))],
    ["a frame of a VLAN", tagged(syn("10.0.2.7"), 0x8100, 5)],
    ["another protocol", Buffer.concat([syn("10.0.2.100").subarray(0, 12), Buffer.from("88cc00000000", "hex")])],
    ["a frame that is cut off", syn("10.0.2.7").subarray(0, 20)],
  ])("%s", (_what, frame) => {
    expect(admits(frame)).toBe(true);
  });
});

describe("what is dropped", () => {
  test.each([
    ["a packet from the router", syn("10.0.2.1")],
    ["a packet from another container", syn("10.0.2.7")],
    ["a fragment from another container", ipv4(17, Buffer.alloc(8), { source: "10.0.2.7", fragment: 9 })],
    ["ARP from the router", arpRequest("10.0.2.1", "10.0.2.1")],
    ["ARP from another container", arpRequest("10.0.2.7", "10.0.2.9")],
    ["IPv6 from the router", ipv6("fd00::1", 17, Buffer.alloc(8))],
    ["IPv6 from the router's own address of the link", ipv6("fe80::5055:aff:fe00:202", 17, Buffer.alloc(8))],
    ["IPv6 from another container", ipv6("fd00::7", 17, Buffer.alloc(8))],
    ["an advertisement of the router's address", ipv6("fe80::9", 58, discovery(136, "fd00::1"))],
    ["an advertisement of another's", ipv6("fe80::9", 58, discovery(136, "fd00::7"))],
    ["the same behind extension headers", ipv6("fe80::9", 0, extended(60, extended(58, discovery(136, "fd00::7"))))],
    ["a router's advertisement", ipv6("fe80::9", 58, discovery(134, "::"))],
    ["a redirect", ipv6("fe80::9", 58, discovery(137, "::"))],
    [
      "extension headers without end",
      ipv6("fe80::9", 0, Buffer.concat(Array.from({ length: 20 }, () => extended(0, Buffer.alloc(0))))),
    ],
    ["a tag of no VLAN", tagged(syn("10.0.2.7"), 0x8100, 0xe000)],
    ["an outer tag of no VLAN", tagged(tagged(syn("10.0.2.7"), 0x8100, 5), 0x88a8, 0)],
  ])("%s", (_what, frame) => {
    expect(admits(frame)).toBe(false);
  });
});

test("no bytes of a frame lead beyond it", () => {
  const seeds = [
    syn("10.0.2.7"),
    arpRequest("10.0.2.7", "10.0.2.1"),
    ipv6("fe80::9", 0, extended(60, Buffer.alloc(40))),
  ];
  for (let round = 0; round < 20_000; round++) {
    const seed = seeds[round % seeds.length] ?? syn("10.0.2.7");
    const frame = Buffer.from(seed.subarray(0, 14 + Math.floor(Math.random() * (seed.length - 13))));
    for (let count = round % 4; count > 0; count--)
      frame[12 + Math.floor(Math.random() * (frame.length - 12))] = Math.floor(Math.random() * 256);
    admits(frame);
  }
});
