import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  type Compression,
  decompress,
  decompressByStream,
  type PackedSource,
} from "../../../../src/image/layers/decompress.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

/** Gives bytes in pieces of a length. */
function sourceOf(bytes: Buffer, pieceLength: number): PackedSource {
  let position = 0;
  return {
    read: async (buffer) => {
      const length = bytes.copy(buffer, 0, position, Math.min(position + pieceLength, bytes.length));
      position += length;
      return length;
    },
  };
}

type Way = typeof decompress;

async function unpack(way: Way, bytes: Buffer, compression: Compression, pieceLength = 1 << 20): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of way(sourceOf(bytes, pieceLength), compression)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BunkerError) return error.code;
    throw error;
  }
}

const packers = {
  gzip: (bytes: Buffer) => gzipSync(bytes, { level: 1 }),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
};
const random = randomBytes(100_000);
// Some of it can be compressed and some cannot, and it fills the buffers several times.
const content = Buffer.concat(
  Array.from({ length: 60 }, (_, index) => Buffer.concat([random, Buffer.alloc(index * 999)])),
);

describe.each(["gzip", "zstd"] as const)("%s", (compression) => {
  const pack = packers[compression];
  describe.each([
    ["by the handle", decompress],
    ["by the stream", decompressByStream],
  ] as const)("%s", (_, way) => {
    test("gives what was packed", async () => {
      for (const pieceLength of [1 << 20, 70_001]) {
        expect((await unpack(way, pack(content), compression, pieceLength)).equals(content)).toBe(true);
      }
      const small = Buffer.from("a few bytes");
      expect(await unpack(way, pack(small), compression, 1)).toEqual(small);
      expect(await unpack(way, pack(Buffer.alloc(0)), compression)).toEqual(Buffer.alloc(0));
      const exact = Buffer.alloc(2 << 20, 7);
      expect((await unpack(way, pack(exact), compression)).equals(exact)).toBe(true);
    });

    test("goes on with further members", async () => {
      const members = Buffer.concat([pack(random), pack(Buffer.from("second")), pack(random)]);
      const expected = Buffer.concat([random, Buffer.from("second"), random]);
      for (const pieceLength of [1 << 20, pack(random).length, 777]) {
        expect((await unpack(way, members, compression, pieceLength)).equals(expected)).toBe(true);
      }
    });
  });
});

test("gzip may be padded with zeros", async () => {
  const padded = Buffer.concat([gzipSync(random), Buffer.alloc(600_000)]);
  expect((await unpack(decompress, padded, "gzip")).equals(random)).toBe(true);
});

test("gzip that is damaged says so, either way", async () => {
  const bytes = gzipSync(content);
  bytes.fill(0x55, 20_000, 21_000);
  for (const way of [decompress, decompressByStream]) {
    expect(await codeOf(unpack(way, bytes, "gzip"))).toBe("layer_damaged");
  }
});

test("gzip that is cut short is damaged", async () => {
  const bytes = gzipSync(content);
  expect(await codeOf(unpack(decompress, bytes.subarray(0, bytes.length - 100), "gzip"))).toBe("layer_damaged");
});

test("a failing source ends it", async () => {
  const source: PackedSource = { read: () => Promise.reject(new Error("the line is cut")) };
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const work = (async () => {
      for await (const _ of decompress(source, compression));
    })();
    expect(work).rejects.toThrow("the line is cut");
  }
});
