import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { DamagedLz4, decompressLz4 } from "../../../../../src/engine/log/journal/lz4.ts";

/** The blocks of what the program lz4 makes, each packed on its own. */
function lz4Blocks(bytes: Buffer): Buffer[] {
  const { stdout } = Bun.spawnSync(["lz4", "-c", "-9", "-BI", "-B4", "--no-frame-crc", "-"], { stdin: bytes });
  const blocks: Buffer[] = [];
  for (let start = 7; ; ) {
    const length = stdout.readUInt32LE(start);
    if (length === 0) return blocks;
    // The highest bit is that of what could not be made smaller.
    if (length < 2 ** 31) blocks.push(stdout.subarray(start + 4, start + 4 + length));
    start += 4 + (length % 2 ** 31);
  }
}

const BLOCK = 1 << 16;

test.each([
  ["one byte often", Buffer.alloc(100_000, "x")],
  ["two bytes often", Buffer.from("ab".repeat(40_001))],
  ["short and long pieces", Buffer.from(Array.from({ length: 9000 }, (_, index) => `${index ** 2} `).join(""))],
  ["random bytes between", Buffer.concat([Buffer.alloc(300), randomBytes(400), Buffer.alloc(5000), randomBytes(20)])],
])("unpacks what lz4 packs: %s", (_, bytes) => {
  const blocks = lz4Blocks(bytes);
  const sizeOf = (index: number) => Math.min(BLOCK, bytes.length - index * BLOCK);
  expect(Buffer.concat(blocks.map((block, index) => decompressLz4(block, sizeOf(index)))).equals(bytes)).toBe(true);
  const [block = Buffer.alloc(0)] = blocks;
  expect(() => decompressLz4(block, sizeOf(0) - 1)).toThrow(DamagedLz4);
  expect(() => decompressLz4(block, sizeOf(0) + 1)).toThrow(DamagedLz4);
  expect(() => decompressLz4(block.subarray(0, -3), sizeOf(0))).toThrow(DamagedLz4);
});

test("refuses what leads outside", () => {
  // One literal, and a match that begins before it.
  expect(() => decompressLz4(Buffer.from([0x10, 65, 2, 0, 0]), 20)).toThrow("it repeats what is not there");
  expect(() => decompressLz4(Buffer.from([0x10, 65, 0, 0, 0]), 20)).toThrow("it repeats what is not there");
});
