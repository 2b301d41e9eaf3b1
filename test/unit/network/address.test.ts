import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import { formatAddress, isLoopback, isMulticast, parseAddress } from "../../../src/network/address.ts";

describe("addresses are read and written", () => {
  test.each([
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["10.0.2.100", "10.0.2.100"],
    ["::", "::"],
    ["::1", "::1"],
    ["FE80::0001", "fe80::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
    ["1::", "1::"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::ffff:192.0.2.33", "192.0.2.33"],
  ])("%s is %s", (text, canonical) => {
    const address = parseAddress(text);
    expect(address && formatAddress(address)).toBe(canonical);
  });

  test.each(["", "1.2.3", "1.2.3.256", "::1%lo", "1::2::3", "host", "1.2.3.4/8", ":", "12345::"])(
    "%j is none",
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

test("what is an address, Node says as well", () => {
  const parts = [
    "",
    "0",
    "01",
    "7",
    "255",
    "256",
    "f",
    "ffff",
    "10000",
    "g",
    "1.2.3.4",
    "1.2.3",
    "1.2.3.04",
    "1.2.3.4.5",
  ];
  const separators = [":", "::", ".", ":::"];
  const texts = parts.flatMap((first) =>
    separators.flatMap((separator) =>
      parts.flatMap((second) =>
        ["", "::", ":0", ":1:2:3:4:5", ":1:2:3:4:5:6", ":1:2:3:4:5:6:7", ":1:2:3:4:1.2.3.4", ".1.1", " "].map(
          (end) => `${first}${separator}${second}${end}`,
        ),
      ),
    ),
  );
  const others = texts.filter((text) => (parseAddress(text) === undefined) !== (isIP(text) === 0));
  expect(others).toEqual([]);
});

test.each([
  ["127.0.0.1", true, false],
  ["127.255.0.9", true, false],
  ["128.0.0.1", false, false],
  ["::1", true, false],
  ["::2", false, false],
  ["224.0.0.1", false, true],
  ["239.255.255.255", false, true],
  ["240.0.0.1", false, false],
  ["255.255.255.255", false, true],
  ["ff02::1", false, true],
  ["fe80::1", false, false],
])("%s: loopback %p, group %p", (text, loopback, group) => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  expect([isLoopback(address), isMulticast(address)]).toEqual([loopback, group]);
});
