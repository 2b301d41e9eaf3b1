import { createReadStream, createWriteStream, renameSync, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** Replaces a file by one with the suffix .gz, which grows aside. */
export async function compressFile(path: string): Promise<void> {
  const aside = `${path}.new`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(aside, { mode: 0o600 }));
    renameSync(aside, `${path}.gz`);
    rmSync(path);
  } finally {
    rmSync(aside, { force: true });
  }
}
