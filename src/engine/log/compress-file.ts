import { createReadStream, createWriteStream, renameSync, rmSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { setTimes, statusOf } from "../../sys/file.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";

/** Replaces a file by one with the suffix .gz, which grows aside and has its times, as that of gzip(1). */
export async function compressFile(path: string): Promise<void> {
  const aside = `${path}.new`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(aside, { mode: 0o600 }));
    keepTimes(path, aside);
    renameSync(aside, `${path}.gz`);
    rmSync(path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function keepTimes(from: string, to: string): void {
  using source = openFile(from, OpenFlag.O_RDONLY);
  using destination = openFile(to, OpenFlag.O_WRONLY);
  const status = statusOf(source.number);
  if (typeof status !== "number") setTimes(destination.number, status.accessed, status.modified);
}
