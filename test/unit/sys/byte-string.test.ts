import { expect, test } from "bun:test";
import { byteStringOf, decodeText, encodeText } from "../../../src/sys/byte-string.ts";

test.each([
  ["", ""],
  ["etc/passwd", "etc/passwd"],
  ["\x00\x7f", "\x00\x7f"],
  ["\x80", "\xc2\x80"],
  ["naïve", "na\xc3\xafve"],
  ["€", "\xe2\x82\xac"],
  ["🐳", "\xf0\x9f\x90\xb3"],
  ["line\nbreak ü\n", "line\nbreak \xc3\xbc\n"],
])("text %j", (text, bytes) => {
  expect<string>(encodeText(text)).toBe(bytes);
  expect(decodeText(encodeText(text))).toBe(text);
  expect(Buffer.from(encodeText(text), "latin1").equals(Buffer.from(text, "utf8"))).toBe(true);
});

test("every byte comes through", () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const text = byteStringOf(bytes);
  expect(text.length).toBe(256);
  expect(Buffer.from(text, "latin1").equals(bytes)).toBe(true);
  expect<string>(byteStringOf(bytes, 0x61, 0x64)).toBe("abc");
  expect<string>(byteStringOf(bytes, 254)).toBe("\xfe\xff");
});

test("bytes that are not UTF-8 can be shown", () => {
  expect(decodeText(byteStringOf(Buffer.from([0x61, 0xff, 0x62])))).toBe("a\ufffdb");
});
