/*
 * The bytes of a packed layer, on their way from the blob to whoever reads the archive: hashed as they are, decompressed
 * and hashed again. Decompression runs on another thread, a few pieces ahead; nothing is held whole.
 *
 * Whether and how a layer is compressed is told from its first bytes and not from its media type, which is often
 * wrong and which `docker save` does not state; the digests decide what is right.
 */
import { type FileHandle, open } from "node:fs/promises";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BunkerError } from "../../sys/error.ts";
import { DigestHasher, splitDigest } from "../digest.ts";
import type { Layer } from "../image.ts";

const READ_SIZE = 256 << 10;
const DECOMPRESSED_SIZE = 1 << 20;

/** Unpacked bytes that may wait for their receiver. */
const READ_AHEAD = 4 << 20;

/**
 * Streams the archive of a layer, and verifies it.
 * @param receive is given the decompressed bytes in order
 * @param signal ends it early
 * @throws BunkerError `digest_mismatch`, `layer_damaged`, `layer_refused`, and whatever `receive` throws
 */
export async function streamLayer(layer: Layer, receive: (bytes: Buffer) => void, signal: AbortSignal): Promise<void> {
  const { blob, diffId } = layer;
  await using file = await open(blob.path);
  const packed = layer.digest === undefined ? undefined : new DigestHasher(splitDigest(layer.digest).algorithm);
  const unpacked = new DigestHasher(splitDigest(diffId).algorithm);
  const source = readRange(file, blob.offset, blob.size, packed);
  const sink = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      unpacked.update(piece);
      receive(piece);
    }
  };
  const decompressor = await createDecompressor(file, blob.offset);
  try {
    if (decompressor === undefined) await pipeline(source, sink, { signal });
    else await pipeline(source, decompressor, sink, { signal });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(String(cause.code)))) throw cause;
    throw damaged(`it cannot be decompressed (${cause.message})`, cause);
  }
  verify(packed, layer.digest, "the packed layer");
  verify(unpacked, diffId, "the unpacked layer");
}

async function* readRange(file: FileHandle, offset: number, size: number, hasher: DigestHasher | undefined) {
  for (let position = 0; position < size; ) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_SIZE, size - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + position);
    if (bytesRead === 0) throw damaged("its file is shorter than it was");
    position += bytesRead;
    const bytes = buffer.subarray(0, bytesRead);
    hasher?.update(bytes);
    yield bytes;
  }
}

async function createDecompressor(file: FileHandle, offset: number): Promise<Transform | undefined> {
  const { buffer } = await file.read(Buffer.alloc(6), 0, 6, offset);
  const signature = buffer.toString("hex");
  const options = { chunkSize: DECOMPRESSED_SIZE, readableHighWaterMark: READ_AHEAD };
  if (signature.startsWith("1f8b")) return createGunzip(options);
  // A frame, or one of the sixteen kinds of frames to be skipped.
  if (signature.startsWith("28b52ffd") || /^5.2a4d18/.test(signature)) return createZstdDecompress(options);
  for (const [program, start] of [
    ["xz", "fd377a585a00"],
    ["bzip2", "425a68"],
  ] as const) {
    if (!signature.startsWith(start)) continue;
    const reason = `it is compressed with ${program}; layers may use gzip or zstd`;
    throw new BunkerError({ code: "layer_refused", operation: "unpack", reason });
  }
  return undefined;
}

function verify(hasher: DigestHasher | undefined, expected: string | undefined, what: string): void {
  const actual = hasher?.finish();
  if (actual === expected) return;
  throw new BunkerError({
    code: "digest_mismatch",
    operation: "verify",
    object: what,
    reason: `its digest is ${actual}`,
  });
}

function damaged(reason: string, cause?: unknown): BunkerError {
  return new BunkerError({ code: "layer_damaged", operation: "read", reason }, { cause });
}
