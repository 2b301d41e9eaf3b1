import { describe, expect, test } from "bun:test";
import { nearestName } from "../../src/nearest-name.ts";

describe("nearestName", () => {
  const known = ["network", "net", "name", "read-only", "rm", "security-opt"];

  test.each([
    ["netwrok", "network"],
    ["netwok", "network"],
    ["networkk", "network"],
    ["nettork", "network"],
    ["Network", "network"],
    ["readonly", "read-only"],
    ["security-opts", "security-opt"],
    ["mr", "rm"],
    ["nam", "name"],
  ])("takes %s for %s", (wanted, expected) => {
    expect(nearestName(wanted, known)).toBe(expected);
  });

  test.each([["publish"], ["x"], [""], ["re-onnnnly"]])("has no guess for %p", (wanted) => {
    expect(nearestName(wanted, known)).toBeUndefined();
  });

  test("has none for nothing, however short the names", () => {
    expect(nearestName("", ["u", "v"])).toBeUndefined();
  });

  test("prefers the nearest, then the first", () => {
    expect(nearestName("cat", ["cart", "cat", "bat"])).toBe("cat");
    expect(nearestName("cat", ["bat", "rat"])).toBe("bat");
  });
});
