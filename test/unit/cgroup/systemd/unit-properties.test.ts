import { expect, test } from "bun:test";
import { unitProperties } from "../../../../src/cgroup/systemd/unit-properties.ts";

const parse = (name: string, value: string) => unitProperties({ [`org.systemd.property.${name}`]: value, other: "x" });

test.each<[string, string, readonly unknown[]]>([
  ["CollectMode", "'inactive-or-failed'", ["CollectMode", "s", "inactive-or-failed"]],
  ["Description", '"a, b"', ["Description", "s", "a, b"]],
  ["KillSignal", "37", ["KillSignal", "i", 37]],
  ["TimeoutStopUSec", "uint64 10000000", ["TimeoutStopUSec", "t", 10_000_000]],
  ["TimeoutStopSec", "10", ["TimeoutStopUSec", "t", 10_000_000]],
  ["SendSIGHUP", "true", ["SendSIGHUP", "b", true]],
  ["After", "['a.service', 'b.service']", ["After", "as", ["a.service", "b.service"]]],
  ["After", "[]", ["After", "as", []]],
])("%s=%s", (name, value, property) => {
  expect(parse(name, value)).toEqual([property] as never);
});

test.each([
  ["Description", "bare words"],
  ["After", "['a', 5]"],
  ["KillSignal", "uint8 5"],
  ["KillSignal", ""],
  ["lower", "5"],
])("%s=%s is refused", (name, value) => {
  expect(() => parse(name, value)).toThrow(`annotations.org.systemd.property.${name}: expected a property`);
});

test("other annotations are none of them", () => {
  expect(unitProperties({ "org.opencontainers.image.stopSignal": "SIGTERM" })).toEqual([]);
});
