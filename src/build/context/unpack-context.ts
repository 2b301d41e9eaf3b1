/*
 * Build contexts that come as an archive: from standard input, in a file, from the web. They are unpacked to a directory of
 * the caller: owners, devices, and attributes that are not for images are not taken over, so nothing in it is other than if
 * the user had unpacked it. An archive is hostile as a layer is, and is written by the same code.
 *
 * What is no archive is a Dockerfile alone, for a build that needs no files.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { LayerWriter } from "../../image/layers/layer-writer.ts";
import { Losses } from "../../image/layers/losses.ts";
import type { TarEntry } from "../../image/tar/tar-entry.ts";
import { BLOCK_SIZE } from "../../image/tar/tar-header.ts";
import { TarReader, type TarReceiver } from "../../image/tar/tar-reader.ts";
import { decompressed } from "../../image/transport/archive-input.ts";
import { BunkerError } from "../../sys/error.ts";
import { setUmask } from "../../sys/file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { isArchiveStart } from "../files/unpack-archive.ts";

/** As much as a Dockerfile may have. */
const LARGEST_DOCKERFILE = 16 << 20;

/** What has come in a stream. */
export type StreamedContext =
  | { readonly kind: "files"; readonly warnings: readonly string[] }
  | { readonly kind: "dockerfile"; readonly content: Buffer };

/**
 * Unpacks a stream that is an archive; anything else is a Dockerfile.
 * @param name for messages
 * @param directory is made, and gets the files
 * @throws BunkerError `archive_invalid`, `dockerfile_too_large`, `no_space`, what `pieces` throws
 */
export async function unpackContext(
  name: string,
  pieces: AsyncIterable<Uint8Array>,
  directory: string,
  signal: AbortSignal,
): Promise<StreamedContext> {
  mkdirSync(directory, { mode: 0o755 });
  const root = openSync(directory, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
  try {
    const losses = new Losses();
    using writer = new LayerWriter(root, "full", losses.add.bind(losses), "tree");
    const reader = new TarReader(new CallersFiles(writer));
    const start: Buffer[] = [];
    let isArchive: boolean | undefined;
    let length = 0;
    for await (const piece of decompressed({ name, stream: pieces })) {
      signal.throwIfAborted();
      if (isArchive === true) {
        withoutUmask(() => reader.feed(piece));
        continue;
      }
      start.push(piece);
      length += piece.length;
      if (length > LARGEST_DOCKERFILE) throw tooLarge(name);
      if (isArchive === false || length < BLOCK_SIZE) continue;
      const whole = Buffer.concat(start);
      isArchive = isArchiveStart(whole);
      if (isArchive) withoutUmask(() => reader.feed(whole));
    }
    if (isArchive !== true) return { kind: "dockerfile", content: Buffer.concat(start) };
    withoutUmask(() => {
      reader.finish();
      writer.finish([]);
    });
    return { kind: "files", warnings: losses.messages() };
  } finally {
    closeSync(root);
  }
}

/** The writer gives files the modes that they are to have. */
function withoutUmask(work: () => void): void {
  const umask = setUmask(0);
  try {
    work();
  } finally {
    setUmask(umask);
  }
}

function tooLarge(name: string): BunkerError {
  return new BunkerError({
    code: "dockerfile_too_large",
    operation: "read the Dockerfile from",
    object: name,
    reason: "it is larger than 16 MiB, and no archive",
    exitStatus: 1,
  });
}

/** Takes from entries what is not the caller's to have. */
class CallersFiles implements TarReceiver {
  readonly #writer: LayerWriter;
  #isSkipped = false;

  constructor(writer: LayerWriter) {
    this.#writer = writer;
  }

  entry(entry: TarEntry): void {
    this.#isSkipped = entry.type === "character-device" || entry.type === "block-device";
    if (this.#isSkipped) return;
    const attributes = new Map([...entry.attributes].filter(([name]) => name.startsWith("user.")));
    this.#writer.entry({
      ...entry,
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      attributes,
      accessList: undefined,
      defaultList: undefined,
    });
  }

  data(chunk: Buffer, start: number, end: number, offset: number): void {
    if (!this.#isSkipped) this.#writer.data(chunk, start, end, offset);
  }

  end(): void {
    if (!this.#isSkipped) this.#writer.end();
  }
}
