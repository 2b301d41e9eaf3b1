import { describe, expect, test } from "bun:test";
import { parseByteCount } from "../../../src/notation/byte-count.ts";
import { MalformedFields, parseFields } from "../../../src/notation/comma-separated-fields.ts";
import { formatGoDuration, parseGoDuration } from "../../../src/notation/go-duration.ts";

describe("parseFields", () => {
  test.each<[string, string[]]>([
    ["", [""]],
    ["a,b", ["a", "b"]],
    ["a,,b,", ["a", "", "b", ""]],
    ['"a,b",c', ["a,b", "c"]],
    ['a,"b""c"', ["a", 'b"c']],
    ['""', [""]],
  ])("splits %s", (text, fields) => {
    expect(parseFields(text)).toEqual(fields);
  });

  test.each(['"a', 'a"b"', '"a"b', '"a""'])("refuses %s", (text) => {
    expect(() => parseFields(text)).toThrow(MalformedFields);
  });
});

test.each([
  ["1m30s", 90e9],
  ["1.5h", 5400e9],
  [".5s", 5e8],
  ["7ns", 7],
  ["-2s", -2e9],
  ["0", 0],
  ["1h1", undefined],
  ["5", undefined],
  ["", undefined],
  ["-", undefined],
  ["1 s", undefined],
])("the duration %j is %p ns", (text, nanoseconds) => {
  expect(parseGoDuration(text)).toBe(nanoseconds);
});

test.each([
  [1, "1ms"],
  [999, "999ms"],
  [1000, "1s"],
  [1500, "1.5s"],
  [60_000, "1m0s"],
  [7_230_250, "2h0m30.25s"],
  [0, "0s"],
])("%p ms are written %j", (milliseconds, text) => {
  expect(formatGoDuration(milliseconds * 1e6)).toBe(text);
});

test.each([
  ["64m", 64 << 20],
  ["1.5G", 1.5 * 2 ** 30],
  ["100b", 100],
  ["1e3", undefined],
  ["9999999p", Number.POSITIVE_INFINITY],
])("%j are %p bytes", (text, bytes) => {
  expect(parseByteCount(text)).toBe(bytes);
});
