import { expect, test } from "bun:test";
import { alignColumns } from "../../../../src/cli/format/align-columns.ts";
import { elapsed } from "../../../../src/cli/format/elapsed.ts";
import { binarySize, humanSize } from "../../../../src/cli/format/human-size.ts";
import { shortId } from "../../../../src/cli/format/short-id.ts";
import { shorten } from "../../../../src/cli/format/shorten.ts";

test.each([
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [1024, "1.02kB"],
  [1_234_567, "1.23MB"],
  [117_012_345, "117MB"],
  [999_499_999, "999MB"],
  [999_500_000, "1GB"],
  [1_500_000_000_000, "1.5TB"],
])("%d bytes", (bytes, text) => {
  expect(humanSize(bytes)).toBe(text);
});

test("sizes with four digits", () => {
  expect([1_234_567, 999_949_999, 999_960_000].map((bytes) => humanSize(bytes, 4))).toEqual([
    "1.235MB",
    "999.9MB",
    "1GB",
  ]);
});

test.each([
  [0, "0B"],
  [1023, "1023B"],
  [1024, "1KiB"],
  [1_263_616, "1.205MiB"],
  [8_219_361_280, "7.655GiB"],
  [1_073_741_823, "1GiB"],
])("%d bytes of memory", (bytes, text) => {
  expect(binarySize(bytes)).toBe(text);
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
test.each([
  [0, "Less than a second"],
  [SECOND, "1 second"],
  [59 * SECOND, "59 seconds"],
  [MINUTE, "About a minute"],
  [2 * MINUTE, "2 minutes"],
  [59 * MINUTE, "59 minutes"],
  [HOUR, "About an hour"],
  [89 * MINUTE, "About an hour"],
  [90 * MINUTE, "2 hours"],
  [47 * HOUR, "47 hours"],
  [48 * HOUR, "2 days"],
  [13 * DAY, "13 days"],
  [14 * DAY, "2 weeks"],
  [59 * DAY, "8 weeks"],
  [60 * DAY, "2 months"],
  [729 * DAY, "24 months"],
  [730 * DAY, "2 years"],
])("%d ms", (milliseconds, text) => {
  expect(elapsed(milliseconds)).toBe(text);
});

test("ids and texts are shortened", () => {
  expect(shortId(`sha256:${"0123456789abcdef".repeat(4)}`)).toBe("0123456789ab");
  expect(shortId("0123456789abcdef")).toBe("0123456789ab");
  expect(shorten("12345", 5)).toBe("12345");
  expect(shorten("123456", 5)).toBe("1234…");
});

test("a column ends where a line has no cell in it", () => {
  expect(alignColumns("aaaaaaaaaaaa\tb\nplain\nc\td\n")).toBe("aaaaaaaaaaaa   b\nplain\nc         d\n");
});
