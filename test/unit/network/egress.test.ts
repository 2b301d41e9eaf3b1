import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/network/address.ts";
import { readAnswer } from "../../../src/network/dns/message.ts";
import { Egress } from "../../../src/network/egress.ts";
import { parsePrefix } from "../../../src/network/prefix.ts";
import type { Address } from "../../../src/sys/internet-socket.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

const networks = ["192.0.2.0/24", "2001:db8::/32"].flatMap((text) => parsePrefix(text) ?? []);

describe("what may be reached", () => {
  test("is everything without rules", () => {
    const egress = new Egress(undefined);
    expect(egress.isRestricted).toBe(false);
    expect(egress.permits(address("198.51.100.1"))).toBe(true);
    expect(egress.permitsName("example.org")).toBe(true);
  });

  test("is networks, and what permitted names were answered with", () => {
    const egress = new Egress({ names: ["example.org", "*.example.com"], networks });
    expect(egress.permits(address("192.0.2.9"))).toBe(true);
    expect(egress.permits(address("2001:db8::9"))).toBe(true);
    expect(egress.permits(address("198.51.100.1"))).toBe(false);
    egress.learn("example.org", [address("198.51.100.1"), address("2001:dead::1")]);
    expect(egress.permits(address("198.51.100.1"))).toBe(true);
    expect(egress.permits(address("2001:dead::1"))).toBe(true);
    expect(egress.nameOf(address("198.51.100.1"))).toBe("example.org");
    expect(egress.permits(address("198.51.100.2"))).toBe(false);
  });

  test.each([
    ["example.org", true],
    ["www.example.org", false],
    ["notexample.org", false],
    ["www.example.com", true],
    ["a.b.example.com", true],
    ["example.com", false],
    ["badexample.com", false],
    ["", false],
  ])("by the name %j: %p", (name, expected) => {
    const egress = new Egress({ names: ["example.org", "*.example.com"], networks: [] });
    expect(egress.permitsName(name)).toBe(expected);
  });

  test("is forgotten when thousands came later, but not what is answered again and again", () => {
    const egress = new Egress({ names: ["a"], networks: [] });
    const numbered = (number: number): Address => [0, 0, 0xffff, number];
    for (let number = 1; number <= 20_000; number++) egress.learn("a", [numbered(number), numbered(0)]);
    expect(egress.permits(numbered(0))).toBe(true);
    expect(egress.permits(numbered(1))).toBe(false);
    expect(egress.permits(numbered(20_000))).toBe(true);
  });
});

describe("an answer", () => {
  const name = (text: string) =>
    Buffer.from([...text.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]), 0]);
  const record = (owner: Buffer, type: number, data: Buffer) =>
    Buffer.concat([owner, Buffer.from([0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data]);
  const pointer = Buffer.from([0xc0, 12]);
  const answer = (records: readonly Buffer[], count = records.length) =>
    Buffer.concat([
      Buffer.from([1, 2, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]),
      name("www.example.org"),
      Buffer.from([0, 1, 0, 1]),
      ...records,
    ]);
  const read = (bytes: Buffer) => {
    const copy = new Uint8Array(bytes);
    return readAnswer(new DataView(copy.buffer), 0, copy.length);
  };

  test("tells its addresses, also those of other names that the first leads to", () => {
    const bytes = answer([
      record(pointer, 5, name("other.example.net")),
      record(name("other.example.net"), 1, Buffer.from([192, 0, 2, 1])),
      record(pointer, 28, Buffer.from([0x20, 1, 13, 0xb8, ...Buffer.alloc(11), 1])),
    ]);
    expect(read(bytes)).toEqual({ name: "www.example.org", addresses: [address("192.0.2.1"), address("2001:db8::1")] });
  });

  test("that is cut or lies about its length is read as far as it goes", () => {
    const whole = answer([
      record(pointer, 1, Buffer.from([192, 0, 2, 1])),
      record(pointer, 1, Buffer.from([192, 0, 2, 2])),
    ]);
    for (let length = 0; length < whole.length; length++) {
      const addresses = read(whole.subarray(0, length))?.addresses ?? [];
      expect(addresses.length).toBeLessThan(2);
    }
    expect(read(answer([record(pointer, 1, Buffer.from([192, 0, 2, 1]))], 200))?.addresses).toHaveLength(1);
    for (let round = 0; round < 2_000; round++) {
      read(Buffer.concat([whole.subarray(0, 12), crypto.getRandomValues(Buffer.alloc(round % 200))]));
    }
  });
});
