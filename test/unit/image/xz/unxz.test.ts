import { describe, expect, test } from "bun:test";
import { DamagedXz } from "../../../../src/image/xz/damaged-xz.ts";
import { unxz } from "../../../../src/image/xz/unxz.ts";
import { noise, unpackedBy } from "../decompressing.ts";

function packed(bytes: Buffer, ...options: string[]): Buffer {
  const { stdout, stderr, exitCode } = Bun.spawnSync(["xz", "-c", ...options], { stdin: bytes });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout;
}

const unpacked = (bytes: Buffer, pieceSize?: number) => unpackedBy(unxz, bytes, pieceSize);

const text = Buffer.from(Array.from({ length: 60_000 }, (_, n) => `line ${n % 977} of ${n}\n`).join(""));
const samples: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  ["a long run", Buffer.alloc(3_000_000, 7)],
  ["all bytes", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ["noise, which stays plain", noise(200_000)],
  ["text", text],
  ["text between noise", Buffer.concat([noise(150_000), text.subarray(0, 200_000), noise(100_000), text])],
];

/** A small dictionary, so that the ring goes round; each kind of checksum; several blocks; other places of bits. */
const settings: readonly (readonly string[])[] = [
  ["-6"],
  ["--check=none", "--lzma2=dict=4KiB"],
  ["--check=crc32", "--block-size=50000"],
  ["--check=sha256", "--lzma2=preset=9,lc=1,lp=3,pb=4"],
];

describe("unxz", () => {
  test.each(samples)("%s", async (_, bytes) => {
    for (const options of settings) expect((await unpacked(packed(bytes, ...options))).equals(bytes)).toBe(true);
  });

  test("streams that follow each other, in pieces of any size", async () => {
    const both = Buffer.concat([
      packed(Buffer.from("one ")),
      Buffer.alloc(8),
      packed(Buffer.from("two")),
      Buffer.alloc(4),
    ]);
    for (const size of [1, 7, 1000]) expect((await unpacked(both, size)).toString()).toBe("one two");
  });

  test("refuses what is damaged, wherever it is", async () => {
    const original = Buffer.from("hello hello hello hello ".repeat(20));
    const bytes = packed(original);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      // The index has a checksum of its own, which says no more than the blocks.
      const result = await unpacked(damaged).catch((error) => error);
      if (!(result instanceof DamagedXz)) expect(result.equals(original)).toBe(true);
      expect(await unpacked(bytes.subarray(0, at)).catch((error) => error)).toBeInstanceOf(DamagedXz);
    }
  });

  test("refuses filters that it does not know, and huge dictionaries", async () => {
    await expect(unpacked(packed(text, "--x86", "--lzma2"))).rejects.toThrow(/filters other than LZMA2/);
    await expect(unpacked(packed(Buffer.from("x"), "--lzma2=dict=512MiB"))).rejects.toThrow(/more than 128 MiB/);
  });
});
