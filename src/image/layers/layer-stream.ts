/*
 * The bytes of a packed layer, on their way from the blob to whoever reads the archive: decompressed on another thread,
 * hashed, and handed on. Nothing is held whole.
 *
 * Whether and how a layer is compressed is told from its first bytes and not from its media type, which is often
 * wrong and which `docker save` does not state; the digests decide what is right.
 */
import { BunkerError } from "../../sys/error.ts";
import { type BlobLocation, bytesAt, unreadable } from "../blob.ts";
import { detectCompression, SIGNATURE_SIZE } from "../compression.ts";
import { type Digest, DigestHasher, splitDigest } from "../digest.ts";
import { type Compression, type DecompressionBuffers, decompress, type PackedSource } from "./decompress.ts";

/** A packed layer that is there, to be read. */
export interface PackedLayer extends PackedSource, AsyncDisposable {
  /** @throws BunkerError `digest_mismatch`; only what was read whole can be verified */
  verify(): void;
}

/**
 * Opens a packed layer in a file.
 * @param digest of the packed bytes, unless they are not to be verified
 * @throws BunkerError `image_not_found`, `image_unreadable`
 */
export async function openPackedLayer(blob: BlobLocation, digest: Digest | undefined): Promise<PackedLayer> {
  const file = await process
    .getBuiltinModule("node:fs/promises")
    .open(blob.path)
    .catch((cause) => {
      throw unreadable(blob.path, cause);
    });
  const hasher = digest === undefined ? undefined : new DigestHasher(splitDigest(digest).algorithm);
  let position = 0;
  return {
    async read(buffer) {
      if (position === blob.size) return 0;
      const { length, offset } = bytesAt(blob, position);
      const wanted = Math.min(buffer.length, length);
      let bytesRead = wanted;
      if (offset === undefined) buffer.fill(0, 0, wanted);
      else ({ bytesRead } = await file.read(buffer, 0, wanted, offset));
      if (bytesRead === 0) {
        throw new BunkerError({ code: "layer_damaged", operation: "read", reason: "its file is shorter than it was" });
      }
      position += bytesRead;
      hasher?.update(buffer.subarray(0, bytesRead));
      return bytesRead;
    },
    verify: () => verify(hasher, digest, "the packed layer"),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/**
 * Streams the archive of a layer, and verifies it.
 * @param source the packed bytes; read to their end
 * @param diffId the digest of the archive
 * @param receive is given the decompressed bytes in order; they are not to be kept
 * @param signal ends it early
 * @param buffers as `decompress` takes them
 * @throws BunkerError `digest_mismatch`, `layer_damaged`, `layer_refused`, and whatever `source` and `receive` throw
 */
export async function streamLayer(
  source: PackedSource,
  diffId: Digest,
  receive: (bytes: Buffer) => void,
  signal: AbortSignal,
  buffers?: DecompressionBuffers,
): Promise<void> {
  const hasher = new DigestHasher(splitDigest(diffId).algorithm);
  const { compression, whole } = await recogniseCompression(source);
  for await (const piece of decompress(whole, compression, buffers)) {
    signal.throwIfAborted();
    hasher.update(piece);
    receive(piece);
  }
  signal.throwIfAborted();
  verify(hasher, diffId, "the unpacked layer");
}

/** Looks at the first bytes; returns a source that gives them once more. */
async function recogniseCompression(source: PackedSource): Promise<{ compression: Compression; whole: PackedSource }> {
  const beginning = Buffer.from(new ArrayBuffer(SIGNATURE_SIZE));
  let length = 0;
  while (length < SIGNATURE_SIZE) {
    const count = await source.read(beginning.subarray(length));
    if (count === 0) break;
    length += count;
  }
  let isFirst = true;
  const whole: PackedSource = {
    read: (buffer) => {
      if (!isFirst || length === 0) return source.read(buffer);
      isFirst = false;
      return Promise.resolve(beginning.copy(buffer, 0, 0, length));
    },
  };
  return { compression: compressionOf(beginning.subarray(0, length)), whole };
}

function compressionOf(beginning: Buffer): Compression {
  const compression = detectCompression(beginning);
  if (compression === "xz" || compression === "bzip2") {
    const reason = `it is compressed with ${compression}; layers may use gzip or zstd`;
    throw new BunkerError({ code: "layer_refused", operation: "unpack", reason });
  }
  return compression ?? "none";
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
