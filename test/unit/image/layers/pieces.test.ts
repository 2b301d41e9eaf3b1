/* The small parts that unpacking is made of. */
import { describe, expect, test } from "bun:test";
import { normalisePath } from "../../../../src/image/layers/entry-path.ts";
import { Losses } from "../../../../src/image/layers/losses.ts";
import { encodeAccessList } from "../../../../src/image/layers/posix-acl.ts";
import { forEachDataPart } from "../../../../src/image/layers/zero-blocks.ts";
import type { ByteString } from "../../../../src/sys/byte-string.ts";

describe("paths", () => {
  test.each([
    ["a/b", "a/b"],
    ["./a/", "a"],
    ["/a//b/./c/", "a/b/c"],
    ["a/../b", "b"],
    [".", ""],
    ["", ""],
    ["a/..", ""],
    ["...", "..."],
    ["..a/b..", "..a/b.."],
    [".a", ".a"],
  ])("%p is %p", (name, expected) => expect(String(normalisePath(name as ByteString))).toBe(expected));

  test.each(["..", "../a", "/..", "a/../..", "./../a"])("%p is refused", (name) => {
    expect(() => normalisePath(name as ByteString)).toThrow("leads out of the root directory");
  });
});

describe("zeros", () => {
  const parts = (chunk: Buffer, start: number, end: number, offset: number) => {
    const found: number[][] = [];
    forEachDataPart(chunk, start, end, offset, (...part) => found.push(part));
    return found;
  };

  test("are left out in whole blocks of the file, and what remains is complete", () => {
    for (const [size, data, start, offset] of [
      [200_000, [70_000], 0, 0],
      [200_000, [0, 199_999], 100, 3],
      [100_000, [], 0, 16_384],
      [50, [3], 0, 12_345],
      [65_536, [16_383, 16_384], 0, 0],
      [65_536, [16_383, 16_384], 0, 1],
    ] as const) {
      const chunk = Buffer.alloc(size + start);
      for (const at of data) chunk[start + at] = 1;
      const file = Buffer.alloc(size);
      let written = 0;
      for (const [from = 0, to = 0, position = 0] of parts(chunk, start, size + start, offset)) {
        chunk.copy(file, position - offset, from, to);
        written += to - from;
      }
      expect(file.equals(chunk.subarray(start))).toBe(true);
      expect(written).toBeLessThanOrEqual(data.length * 16_384);
    }
  });

  test("are told from data that begins and ends with zeros", () => {
    const chunk = Buffer.alloc(16_384);
    chunk[8000] = 1;
    expect(parts(chunk, 0, 16_384, 0)).toEqual([[0, 16_384, 0]]);
  });
});

describe("access control lists", () => {
  test("become the kernel's form, in its order", () => {
    const value = encodeAccessList(
      "user::rw-,other::r--,user:7:r-x,user:5:---,group:9:rwx,mask::rwx,group::r--" as ByteString,
    );
    const bytes = Buffer.from(value ?? "", "latin1");
    const entries = Array.from({ length: (bytes.length - 4) / 8 }, (_, index) => [
      bytes.readUInt16LE(4 + index * 8),
      bytes.readUInt16LE(6 + index * 8),
      bytes.readUInt32LE(8 + index * 8),
    ]);
    const none = 0xffff_ffff;
    expect(bytes.readUInt32LE(0)).toBe(2);
    expect(entries).toEqual([
      [0x01, 6, none],
      [0x02, 0, 5],
      [0x02, 5, 7],
      [0x04, 4, none],
      [0x08, 7, 9],
      [0x10, 7, none],
      [0x20, 4, none],
    ]);
  });

  test("take the number that star adds to a name", () => {
    expect(encodeAccessList("u:lisa:r--:1001" as ByteString)).toBe(encodeAccessList("user:1001:r--" as ByteString));
  });

  test.each(["user:lisa:r--", "user::rwz", "nonsense", "mask:5:rwx", "user:4294967295:r--"])("%p is none", (text) => {
    expect(encodeAccessList(text as ByteString)).toBeUndefined();
  });
});

test("losses are gathered, shown escaped and bounded", () => {
  const losses = new Losses();
  for (let index = 0; index < 8; index++) losses.add("no", `\n${index}` as ByteString);
  for (let reason = 0; reason < 50; reason++) losses.add(`reason ${reason}`, "x" as ByteString);
  const messages = losses.messages();
  expect(messages[0]).toBe('no: "\\n0", "\\n1", "\\n2", "\\n3", "\\n4" and 3 more');
  expect(messages).toHaveLength(20);
});
