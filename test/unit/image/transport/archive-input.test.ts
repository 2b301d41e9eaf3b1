import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { decompressed } from "../../../../src/image/transport/archive-input.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { archive } from "../tar-builder.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-archive-input-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Many empty files: every block is the end of an entry. */
const plain = archive(Array.from({ length: 2000 }, (_, index) => ({ name: `file-${index * 7919}` })));

async function read(bytes: Buffer): Promise<Buffer> {
  const path = `${directory}/archive`;
  writeFileSync(path, bytes);
  const pieces: Buffer[] = [];
  for await (const piece of decompressed(path)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

function packed(command: readonly string[], bytes: Buffer): Buffer {
  return Bun.spawnSync([...command], { stdin: bytes }).stdout;
}

describe.each([
  ["gzip", (bytes: Buffer) => gzipSync(bytes)],
  ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
  ["xz", (bytes: Buffer) => packed(["xz", "-c"], bytes)],
  ["bzip2", (bytes: Buffer) => packed(["bzip2", "-c"], bytes)],
] as const)("an archive packed with %s", (_, compress) => {
  test("is read, in one stream and in several", async () => {
    expect((await read(compress(plain))).equals(plain)).toBe(true);
    const parts = [plain.subarray(0, 5000), plain.subarray(5000)].map((part) => compress(part));
    expect((await read(Buffer.concat(parts))).equals(plain)).toBe(true);
  });

  test("that stops anywhere is refused, and named", async () => {
    const whole = compress(plain);
    for (const length of [whole.length - 1, whole.length - 9, Math.floor(whole.length / 2), 20]) {
      const failure = await read(whole.subarray(0, length)).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(BunkerError);
      expect(failure).toMatchObject({ code: "archive_invalid", object: `${directory}/archive` });
      expect(String(failure)).toContain("it cannot be decompressed (");
    }
  });
});

test("what follows zstd has to be zstd", async () => {
  for (const rest of ["x", "something else"]) {
    const failure = read(Buffer.concat([zstdCompressSync(plain), Buffer.from(rest)]));
    await expect(failure).rejects.toThrow("it cannot be decompressed");
  }
});
