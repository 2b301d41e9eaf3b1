import { describe, expect, test } from "bun:test";
import {
  addressFault,
  freeAddress,
  freeSubnet,
  hardwareAddressFor,
} from "../../../../src/engine/network/address-pool.ts";
import { parseAddress } from "../../../../src/network/address.ts";
import { formatPrefix, overlaps, type Prefix, parsePrefix } from "../../../../src/network/prefix.ts";

const subnet = (text: string, more: object = {}) => ({
  subnet: text,
  gateway: text.includes(":") ? "fd00::1" : "10.1.0.1",
  range: undefined,
  reserved: {},
  ...more,
});

describe("addresses of containers", () => {
  test("are the lowest that nobody has, and neither reserved nor the gateway's", () => {
    expect(freeAddress(subnet("10.1.0.0/24"), new Set())).toBe("10.1.0.2");
    expect(freeAddress(subnet("10.1.0.0/24"), new Set(["10.1.0.2", "10.1.0.4"]))).toBe("10.1.0.3");
    expect(freeAddress(subnet("10.1.0.0/24", { reserved: { router: "10.1.0.2" } }), new Set())).toBe("10.1.0.3");
    expect(freeAddress(subnet("10.1.0.0/24", { range: "10.1.0.64/30" }), new Set())).toBe("10.1.0.64");
    expect(freeAddress(subnet("10.1.0.0/29"), new Set(["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"]))).toBe(
      "10.1.0.6",
    );
    expect(freeAddress(subnet("fd00::/64"), new Set(["fd00::2"]))).toBe("fd00::3");
  });

  test("end", () => {
    const taken = new Set(["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"]);
    expect(freeAddress(subnet("10.1.0.0/29"), taken)).toBeUndefined();
    expect(freeAddress(subnet("10.1.0.0/24", { range: "10.1.0.4/31" }), taken)).toBeUndefined();
  });

  test.each([
    ["10.1.0.9", undefined],
    ["10.1.1.9", "it is not in 10.1.0.0/24"],
    ["fd00::9", "it is not in 10.1.0.0/24"],
    ["10.1.0.1", "it is the gateway's"],
    ["10.1.0.0", "it is not a host's"],
    ["10.1.0.255", "it is not a host's"],
    ["10.1.0.77", "it is reserved"],
  ])("%s: %p", (text, fault) => {
    const network = subnet("10.1.0.0/24", { reserved: { x: "10.1.0.77" } });
    expect(addressFault(network, parseAddress(text) ?? [0, 0, 0, 0])).toBe(fault);
  });

  test("make hardware addresses", () => {
    expect(hardwareAddressFor("10.89.0.255")).toBe("02:42:0a:59:00:ff");
  });
});

describe("subnets", () => {
  test("that are chosen overlap with none that is taken", () => {
    const taken: Prefix[] = [];
    for (let count = 0; count < 60; count++) {
      const free = freeSubnet(4, taken);
      if (free === undefined) throw new Error("there are thousands");
      expect(taken.some((other) => overlaps(free, other))).toBe(false);
      expect(formatPrefix(free)).toMatch(/^10\.\d+\.\d+\.0\/24$/);
      taken.push(free);
    }
    const wide = parsePrefix("10.0.0.0/8");
    expect(freeSubnet(4, wide === undefined ? [] : [wide])).toBeUndefined();
    expect(formatPrefix(freeSubnet(6, []) ?? { address: [0, 0, 0, 0], length: 0 })).toMatch(/^fd[\da-f:]+::\/64$/);
  });
});
