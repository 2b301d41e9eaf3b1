import { describe, expect, test } from "bun:test";
import { zstdCompressSync } from "node:zlib";
import { ZstdFrames } from "../../../src/image/zstd-frames.ts";

function follow(bytes: Buffer, pieceSize = bytes.length): () => void {
  const frames = new ZstdFrames();
  for (let at = 0; at < bytes.length; at += pieceSize) frames.feed(bytes.subarray(at, at + pieceSize));
  return () => frames.finish();
}

function zstd(bytes: Buffer, ...options: string[]): Buffer {
  const { stdout, success, stderr } = Bun.spawnSync(["zstd", "-qc", ...options], { stdin: bytes });
  if (!success) throw new Error(stderr.toString());
  return stdout;
}

const mixed = Buffer.concat([
  Buffer.from("text ".repeat(40_000)),
  Buffer.alloc(300_000),
  Buffer.from(Array.from({ length: 200_000 }, (_, at) => Math.imul(at, 2654435761) >>> 24)),
]);
const skippable = Buffer.from("5f2a4d180300000061626300", "hex").subarray(0, 11);

describe("frames of zstd", () => {
  test.each([
    ["of nothing", zstd(Buffer.alloc(0))],
    ["of one byte", zstd(Buffer.from("x"))],
    ["of many blocks", zstd(mixed)],
    ["without a checksum", zstd(mixed, "--no-check")],
    ["with their size", zstd(mixed, `--stream-size=${mixed.length}`)],
    ["with a size of two bytes", zstd(mixed.subarray(0, 1000), "--stream-size=1000")],
    ["of the library", zstdCompressSync(mixed)],
    [
      "that follow each other",
      Buffer.concat([zstd(Buffer.from("x")), zstd(mixed), skippable, zstd(mixed, "--no-check")]),
    ],
    ["to be skipped alone", skippable],
  ])("%s end where they end, and nowhere else", (_, bytes) => {
    for (const pieceSize of [1, 5, 1000, bytes.length]) expect(follow(bytes, pieceSize)).not.toThrow();
    for (const missing of [1, 3, 5]) {
      expect(follow(bytes.subarray(0, bytes.length - missing))).toThrow("it ends in the middle of a frame");
    }
  });

  test("are followed by frames only", () => {
    expect(follow(Buffer.concat([zstd(mixed), Buffer.from("else")]))).toThrow("what follows a frame is none");
    expect(follow(Buffer.alloc(0))).not.toThrow();
  });
});
