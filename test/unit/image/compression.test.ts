import { expect, test } from "bun:test";
import { detectCompression } from "../../../src/image/compression.ts";

test.each([
  ["gzip", ["gzip", "-c"]],
  ["zstd", ["zstd", "-qc"]],
  ["xz", ["xz", "-c"]],
  ["bzip2", ["bzip2", "-c"]],
] as const)("%s is told from its beginning, of nothing too", (kind, command) => {
  for (const content of ["", "content"]) {
    const { stdout } = Bun.spawnSync([...command], { stdin: Buffer.from(content) });
    expect(detectCompression(stdout)).toBe(kind);
  }
});

test("an archive is not compressed, whatever its first name begins with", () => {
  for (const name of ["BZhello", "BZh9.txt", "\x1f\x8bname", ""]) {
    expect(detectCompression(Buffer.from(name.padEnd(100, "\0"), "latin1"))).toBeUndefined();
  }
});
