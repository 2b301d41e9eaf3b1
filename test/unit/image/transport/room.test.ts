import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../../src/image/digest.ts";
import { openArchiveSink } from "../../../../src/image/transport/archive-sink.ts";
import { openFileOutput } from "../../../../src/image/transport/byte-output.ts";
import { openDirectorySink } from "../../../../src/image/transport/directory-sink.ts";
import { openLayoutOutput } from "../../../../src/image/transport/layout-output.ts";
import { openPlainDirectoryWriter } from "../../../../src/image/transport/plain-directory.ts";
import type { ImageWriter } from "../../../../src/image/transport/transport.ts";

const HUGE = { mediaType: "", digest: digestOf("nothing"), size: 2 ** 52, annotations: {} };

test("what has no room is refused before any of it is written, wherever it goes", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-room-"));
  try {
    const nowhere = { annotations: [], repositoryTags: [] };
    await using archive = openLayoutOutput(openArchiveSink(await openFileOutput(`${directory}/archive`), 0), "docker");
    await using layout = openLayoutOutput(openDirectorySink(`${directory}/layout`), "oci");
    await using plain = openPlainDirectoryWriter(`${directory}/plain`, "dir:plain");
    for (const writer of [archive.writer("archive", nowhere), layout.writer("layout", nowhere), plain]) {
      const ask = () => (writer as ImageWriter).checkRoom?.([HUGE]);
      expect(ask).toThrow(`store ${writer.name}: no space: 4294967296 MiB have to arrive, and the file system of`);
    }
    // What is written there takes no space.
    await using sink = openLayoutOutput(openArchiveSink(await openFileOutput("/dev/null"), 0), "docker");
    sink.writer("null", nowhere).checkRoom?.([HUGE]);
  } finally {
    // Now that all of them have been given up.
    expect(readdirSync(directory).filter((name) => !name.startsWith("."))).toEqual([]);
    rmSync(directory, { recursive: true });
  }
});
