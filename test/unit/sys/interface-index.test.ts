import { expect, test } from "bun:test";
import { interfaceIndex } from "../../../src/sys/interface-index.ts";

test("an interface has an index, one that is not there has none", () => {
  expect(interfaceIndex("lo")).toBe(1);
  expect(interfaceIndex("nowhere")).toBeUndefined();
  expect(interfaceIndex("a-name-that-is-too-long")).toBeUndefined();
  expect(interfaceIndex("")).toBeUndefined();
});
