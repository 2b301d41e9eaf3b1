import { describe, expect, test } from "bun:test";
import { bunzip2, DamagedBzip2 } from "../../../src/image/bunzip2.ts";
import { noise, unpackedBy } from "./decompressing.ts";

function packed(bytes: Buffer, level = 9): Buffer {
  const { stdout, exitCode } = Bun.spawnSync(["bzip2", `-${level}`, "-c"], { stdin: bytes });
  expect(exitCode).toBe(0);
  return stdout;
}

const unpacked = (bytes: Buffer, pieceSize?: number) => unpackedBy(bunzip2, bytes, pieceSize);

const samples: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  [
    "runs around the length that has a count",
    Buffer.from([3, 4, 5, 6, 255, 256, 259, 260].map((n) => "ab".padEnd(n, "b")).join("-")),
  ],
  ["a long run", Buffer.alloc(1_300_000, 7)],
  ["all bytes", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ["noise of several blocks", noise(1_000_000)],
  ["text of several blocks", Buffer.from(Array.from({ length: 90_000 }, (_, n) => `line ${n % 977}\n`).join(""))],
];

describe("bunzip2", () => {
  test.each(samples)("%s", async (_, bytes) => {
    for (const level of [1, 9]) expect((await unpacked(packed(bytes, level))).equals(bytes)).toBe(true);
  });

  test("streams that follow each other, in pieces of any size", async () => {
    const both = Buffer.concat([packed(Buffer.from("one ")), packed(Buffer.from("two")), Buffer.alloc(100)]);
    for (const size of [1, 7, 1000]) expect((await unpacked(both, size)).toString()).toBe("one two");
  });

  test("refuses what is damaged, wherever it is", async () => {
    const original = Buffer.from("hello hello hello hello ".repeat(100));
    const bytes = packed(original);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x41;
      // Not everything counts: there are tables that no symbol uses, and bits after the end.
      const result = await unpacked(damaged).catch((error) => error);
      if (!(result instanceof DamagedBzip2)) expect(result.equals(original)).toBe(true);
      if (at > 0) expect(await unpacked(bytes.subarray(0, at)).catch((error) => error)).toBeInstanceOf(DamagedBzip2);
    }
  });
});
