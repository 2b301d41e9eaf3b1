import { expect, test } from "bun:test";
import { formatEndpoint } from "../../../../src/network/address.ts";
import { LinkFlows } from "../../../../src/network/switch/link-flows.ts";
import { ipv4, tcp, udpDatagram } from "../frames.ts";

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];

function count(flows: LinkFlows, frame: Buffer): void {
  flows.count(new DataView(frame.buffer, frame.byteOffset, frame.length), 0, frame.length);
}

function shown(flows: LinkFlows): string[] {
  return flows
    .summaries()
    .map(({ protocol, inside, outside, sent, state }) =>
      [protocol, formatEndpoint(inside), formatEndpoint(outside), sent, state].join(" ").trim(),
    )
    .toSorted();
}

test("flows are counted by their ends, with the payload's bytes and what was said last", () => {
  const flows = new LinkFlows();
  const segment = (flags: number, payload = 0, sourcePort = 40000) =>
    count(flows, tcp({ sourcePort, destinationPort: 80, flags, payload: Buffer.alloc(payload) }));
  segment(SYN);
  expect(shown(flows)).toEqual(["tcp 10.0.2.100:40000 10.0.2.2:80 0 syn sent"]);
  segment(ACK, 100);
  segment(ACK, 11);
  segment(ACK | FIN, 1);
  segment(SYN | ACK, 0, 40001);
  segment(RST, 0, 40002);
  count(flows, ipv4(17, udpDatagram(53, 54, Buffer.alloc(9))));
  count(flows, ipv4(17, udpDatagram(53, 54, Buffer.alloc(9))));
  count(flows, ipv4(1, Buffer.from("0800f7ff12340000", "hex")));
  count(flows, ipv4(1, Buffer.from("0000f7ff12340000", "hex")));
  // Neither a later fragment nor another protocol is a flow, nor what is cut off.
  count(flows, ipv4(17, udpDatagram(1, 2, Buffer.alloc(9)), { fragment: 5 }));
  count(flows, ipv4(200, Buffer.alloc(40)));
  count(flows, ipv4(6, Buffer.alloc(19)));
  expect(shown(flows)).toEqual([
    "icmp 10.0.2.100:0 10.0.2.2:4660 8",
    "icmp 10.0.2.100:4660 10.0.2.2:0 8",
    "tcp 10.0.2.100:40000 10.0.2.2:80 112 closing",
    "tcp 10.0.2.100:40001 10.0.2.2:80 0 established",
    "tcp 10.0.2.100:40002 10.0.2.2:80 0 reset",
    "udp 10.0.2.100:53 10.0.2.2:54 18",
  ]);
});

test("there are only so many, and the latest stay", () => {
  const flows = new LinkFlows();
  for (let port = 1; port <= 20_000; port++) count(flows, ipv4(17, udpDatagram(port, 9, Buffer.alloc(1))));
  expect(flows.summaries().length).toBeLessThanOrEqual(4096);
  expect(shown(flows)).toContain("udp 10.0.2.100:20000 10.0.2.2:9 1");
});

test("no bytes of a frame lead beyond it", () => {
  const flows = new LinkFlows();
  const six = Buffer.from(`52550a00020202000000000186dd6000000000081140${"0".repeat(64)}0035003500080000`, "hex");
  for (let round = 0; round < 30_000; round++) {
    const seed = [six, tcp({ destinationPort: 1, flags: ACK }), ipv4(1, Buffer.alloc(8))][round % 3] ?? six;
    const frame = Buffer.from(seed.subarray(0, 14 + Math.floor(Math.random() * (seed.length - 13))));
    frame[14 + Math.floor(Math.random() * (frame.length - 14))] = Math.floor(Math.random() * 256);
    count(flows, frame);
  }
});
