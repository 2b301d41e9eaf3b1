import { describe, expect, test } from "bun:test";
import { parseDeviceRule } from "../../../../src/cli/values/device-rule-option.ts";

describe("a rule for devices", () => {
  test.each([
    ["c 42:* rmw", { allow: true, type: "c", major: 42, minor: -1, access: "rmw" }],
    ["b 8:0 r", { allow: true, type: "b", major: 8, minor: 0, access: "r" }],
    ["a *:* rwm", { allow: true, type: "a", major: -1, minor: -1, access: "rwm" }],
  ] as const)("%p is read as Docker does", (text, rule) => {
    expect(parseDeviceRule(text)).toEqual(rule);
  });

  test.each(["", "c 1:3", "c 1 r", "p 1:3 r", "c 1:3 x", "c 1:3 rwmr", "c  1:3 r", "c -1:3 r", "/dev/null:r"])(
    "%p is refused",
    (text) => {
      expect(() => parseDeviceRule(text)).toThrow("expected a rule such as 'c 42:* rmw'");
    },
  );
});
