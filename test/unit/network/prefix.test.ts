import { describe, expect, test } from "bun:test";
import { formatAddress, parseAddress } from "../../../src/network/address.ts";
import {
  addressNumber,
  contains,
  formatPrefix,
  numberedAddress,
  overlaps,
  parsePrefix,
  rangeOf,
} from "../../../src/network/prefix.ts";

function prefix(text: string) {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

describe("a prefix", () => {
  test.each([
    ["10.1.2.3/24", "10.1.2.0/24"],
    ["255.255.255.255/32", "255.255.255.255/32"],
    ["1.2.3.4/0", "0.0.0.0/0"],
    ["fd00:1:2:3::9/64", "fd00:1:2:3::/64"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"],
    ["::1/0", "::/0"],
  ])("%s is %s", (text, written) => {
    expect(formatPrefix(prefix(text))).toBe(written);
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "/24", "10.0.0.0/-1", "10.0.0.0/8 ", ""])(
    "%j is none",
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
    },
  );

  test.each([
    ["10.1.2.0/24", "10.1.2.255", true],
    ["10.1.2.0/24", "10.1.3.0", false],
    ["0.0.0.0/0", "255.1.2.3", true],
    ["::/0", "10.1.2.3", false],
    ["fd00::/64", "fd00::ffff:ffff:ffff:ffff", true],
    ["fd00::/64", "fd00:0:0:1::", false],
    ["128.0.0.0/1", "127.255.255.255", false],
  ])("%s and %s: %p", (one, other, expected) => {
    expect(contains(prefix(one), address(other))).toBe(expected);
  });

  test.each([
    ["10.0.0.0/8", "10.9.0.0/16", true],
    ["10.9.0.0/16", "10.0.0.0/8", true],
    ["10.9.0.0/17", "10.9.128.0/17", false],
    ["fd00::/8", "10.0.0.0/8", false],
  ])("%s overlaps %s: %p", (one, other, expected) => {
    expect(overlaps(prefix(one), prefix(other))).toBe(expected);
  });

  test("has a first and a last address", () => {
    for (const [text, first, last] of [
      ["10.1.2.0/29", "10.1.2.0", "10.1.2.7"],
      ["fd00::/126", "fd00::", "fd00::3"],
    ] as const) {
      const range = rangeOf(prefix(text));
      const like = prefix(text).address;
      expect(formatAddress(numberedAddress(range.first, like))).toBe(first);
      expect(formatAddress(numberedAddress(range.last, like))).toBe(last);
      expect(addressNumber(address(last))).toBe(range.last);
    }
  });
});
