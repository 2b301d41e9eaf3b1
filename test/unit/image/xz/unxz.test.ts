import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DamagedXz } from "../../../../src/image/xz/damaged-xz.ts";
import { unxz } from "../../../../src/image/xz/unxz.ts";
import { noise, unpackedBy } from "../decompressing.ts";
import { riscV } from "./risc-v.ts";

function packed(bytes: Buffer, ...options: string[]): Buffer {
  const { stdout, stderr, exitCode } = Bun.spawnSync(["xz", "-c", ...options], { stdin: bytes });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout;
}

const unpacked = (bytes: Buffer, pieceSize?: number) => unpackedBy(unxz, bytes, pieceSize);

/** Bytes that instructions of the architectures begin or end with, and signs of distances. */
const OPCODES = [0xe8, 0xe9, 0xeb, 0x00, 0xff, 0x48, 0x40, 0x7f, 0xc0, 0xf0, 0xf8, 0x94, 0x90, 0x01, 0x12, 0x50];

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

/**
 * Bytes with many instructions of each architecture that are filtered, and many that are almost such; the filters see
 * them at any place.
 */
const machineCode = Buffer.from(
  noise(200_001).map((byte, at, all) => {
    const choice = all[(at * 7) % all.length] ?? 0;
    return choice < 96 ? (OPCODES[byte % OPCODES.length] ?? 0) : byte;
  }),
);

const filters: readonly (readonly string[])[] = [
  ...["x86", "powerpc", "ia64", "arm", "armthumb", "arm64", "sparc"].map((name) => [`--${name}`]),
  // Positions that go round.
  ...["x86", "powerpc", "ia64", "arm", "armthumb", "arm64", "sparc"].map((name) => [`--${name}=start=4294963200`]),
  ["--delta=dist=1"],
  ["--delta=dist=256"],
  ["--x86", "--delta=dist=4"],
  ["--delta=dist=3", "--arm", "--x86"],
];

/** Changes the header of the first block, and its checksum. */
function changedHeader(bytes: Buffer, change: (header: Buffer) => void): Buffer {
  const changed = Buffer.from(bytes);
  const header = changed.subarray(12, 12 + ((changed[12] ?? 0) + 1) * 4);
  change(header);
  header.writeUInt32LE(Bun.hash.crc32(header.subarray(0, -4)), header.length - 4);
  return changed;
}

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

  test.each(filters)("undoes %s", async (...options) => {
    // Several chunks, and each number of bytes that an instruction's beginning may have at the end.
    for (const length of [200_000, 200_001, 50_002, 50_003, 3, 0]) {
      const bytes = machineCode.subarray(0, length);
      const result = await unpacked(packed(bytes, ...options, "--lzma2"));
      expect(result.equals(bytes)).toBe(true);
    }
  });

  test("undoes the filter for RISC-V, which few versions of xz have", async () => {
    const { original, packed } = riscV;
    expect((await unpacked(Buffer.from(packed, "base64"))).toString("base64")).toBe(original);
  });

  test("undoes the filter for x86 where opcodes are within each other's distances", async () => {
    const bytes = Buffer.from(noise(100_000).map((byte) => [0xe8, 0x00, 0xff, byte][byte & 3] ?? 0));
    expect((await unpacked(packed(bytes, "--x86", "--lzma2=preset=1"))).equals(bytes)).toBe(true);
  });

  test("undoes filters of real machine code", async () => {
    const program = readFileSync("/bin/busybox").subarray(0, 1 << 20);
    expect((await unpacked(packed(program, "--x86", "--lzma2=preset=1"))).equals(program)).toBe(true);
  });

  test("refuses filters that it does not know, and huge dictionaries", async () => {
    const filtered = packed(text, "--x86", "--lzma2");
    await expect(unpacked(changedHeader(filtered, (header) => header.writeUInt8(0x0c, 2)))).rejects.toThrow(
      "a block uses a filter that is not known",
    );
    const arm = packed(text, "--arm=start=4", "--lzma2");
    await expect(unpacked(changedHeader(arm, (header) => header.writeUInt8(2, 4)))).rejects.toThrow(
      "a filter for machine code begins in the middle of an instruction",
    );
    await expect(unpacked(packed(Buffer.from("x"), "--lzma2=dict=512MiB"))).rejects.toThrow(/more than 128 MiB/);
  });
});
