/*
 * Archives that ADD unpacks: tar, plain or compressed. Whether a file is one, its beginning says and not its name, as with
 * Docker: what is decompressed has to begin with the header of an entry. Its owners, modes and times are kept, and what
 * is in the way of an entry gives way to it. Links in it lead within the directory that it is unpacked in.
 */
import { read } from "node:fs";
import type { Loss } from "../../image/layers/entry-attributes.ts";
import type { LayerMapping } from "../../image/layers/layer-directory.ts";
import { LayerWriter } from "../../image/layers/layer-writer.ts";
import { showName } from "../../image/tar/tar-error.ts";
import { BLOCK_SIZE, hasValidChecksum, isZeroBlock } from "../../image/tar/tar-header.ts";
import { TarReader } from "../../image/tar/tar-reader.ts";
import { decompressed } from "../../image/transport/archive-input.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";

const PIECE_SIZE = 256 << 10;

/** Whether an open file is an archive, perhaps a compressed one. */
export async function isArchive(file: number): Promise<boolean> {
  const start = Buffer.alloc(BLOCK_SIZE);
  let length = 0;
  try {
    for await (const piece of decompressed({ name: "archive", stream: readPieces(file) })) {
      length += piece.copy(start, length);
      if (length === BLOCK_SIZE) break;
    }
  } catch (error) {
    // What only looks compressed is a file like others.
    if (isInvalid(error)) return false;
    throw error;
  }
  return length === BLOCK_SIZE && isArchiveStart(start);
}

/** Whether bytes, one block of them at least, are the beginning of an archive. */
export function isArchiveStart(bytes: Buffer): boolean {
  const block = bytes.subarray(0, BLOCK_SIZE);
  return !isZeroBlock(block) && hasValidChecksum(block);
}

/**
 * Unpacks an archive.
 * @param file open for reading
 * @param name for messages
 * @param directory descriptor of the directory that it is unpacked in, open for reading
 * @returns bytes of the files in it
 * @throws BunkerError `archive_invalid`, `layer_refused`, `no_space`
 */
export async function unpackArchive(
  file: number,
  name: ByteString,
  directory: number,
  mapping: LayerMapping,
  lose: Loss,
): Promise<number> {
  using writer = new LayerWriter(directory, mapping, lose, "tree");
  const reader = new TarReader(writer);
  try {
    for await (const piece of decompressed({ name: "the archive", stream: readPieces(file) })) reader.feed(piece);
    reader.finish();
  } catch (cause) {
    if (!isInvalid(cause)) throw cause;
    const { code, message } = cause;
    throw new BunkerError(
      { code, operation: "unpack", object: showName(name), reason: message, exitStatus: 1 },
      { cause },
    );
  }
  writer.finish([]);
  return writer.size;
}

function isInvalid(error: unknown): error is BunkerError {
  return error instanceof BunkerError && error.code === "archive_invalid";
}

async function* readPieces(file: number): AsyncGenerator<Buffer, void, undefined> {
  for (let position = 0; ; ) {
    const buffer = Buffer.allocUnsafeSlow(PIECE_SIZE);
    const length = await new Promise<number>((done, fail) =>
      read(file, buffer, 0, PIECE_SIZE, position, (error, count) => (error === null ? done(count) : fail(error))),
    );
    if (length === 0) return;
    position += length;
    yield buffer.subarray(0, length);
  }
}
