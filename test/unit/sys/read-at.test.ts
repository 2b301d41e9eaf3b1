import { expect, test } from "bun:test";
import { Errno } from "../../../src/sys/errno.ts";
import { MemoryFile } from "../../../src/sys/memory-file.ts";
import { readAt } from "../../../src/sys/read-at.ts";

test("bytes of any place come to any place, up to the file's end", () => {
  using file = new MemoryFile("content");
  file.write("0123456789");
  const data = Buffer.from("..........");
  expect(readAt(file.descriptor.number, data, 2, 5, 4)).toBe(3);
  expect(data.toString()).toBe("..456.....");
  expect(readAt(file.descriptor.number, data, 0, 10, 8)).toBe(2);
  expect(data.toString()).toBe("89456.....");
  expect(readAt(file.descriptor.number, data, 0, 10, 10)).toBe(0);
});

test("a large range is read in parts", () => {
  using file = new MemoryFile("content");
  file.write("x".repeat(100_000));
  const data = new Uint8Array(100_000);
  let length = 0;
  while (length < data.length) length += readAt(file.descriptor.number, data, length, data.length, length);
  expect(Buffer.from(data).toString() === "x".repeat(100_000)).toBe(true);
});

test("a refusal is the negated error number", () => {
  expect(readAt(-1, new Uint8Array(1), 0, 1, 0)).toBe(-Errno.EBADF);
});
