import { Readable } from "node:stream";
import { constants, createZstdCompress } from "node:zlib";
import { type Digest, DigestHasher } from "../digest.ts";
import type { Compression } from "./decompress.ts";
import { gzipInParallel } from "./parallel-gzip.ts";

const LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar";
const mediaTypes: Readonly<Record<Compression, string>> = {
  none: LAYER_MEDIA_TYPE,
  gzip: `${LAYER_MEDIA_TYPE}+gzip`,
  zstd: `${LAYER_MEDIA_TYPE}+zstd`,
};

/** How a layer of a media type is packed; undefined for one that is not a layer of OCI's. */
export function compressionOf(mediaType: string): Compression | undefined {
  return (["none", "gzip", "zstd"] as const).find((each) => mediaTypes[each] === mediaType);
}

/** A layer that was packed, as a manifest and a configuration name it. */
export interface NewLayer {
  readonly mediaType: string;
  /** Of the packed bytes. */
  readonly digest: Digest;
  /** Packed bytes. */
  readonly size: number;
  /** Digest of the archive. */
  readonly diffId: Digest;
}

/**
 * Packs the archive of a layer, in one go.
 * @param archive its pieces, as `archiveLayer` makes them
 * @param write is given the packed bytes in order; they are its own
 * @param level of the compression, from 1; the usual one unless given
 * @returns what the layer is called then
 * @throws whatever `archive` and `write` throw
 */
export async function packLayer(
  archive: Iterable<Buffer> | AsyncIterable<Buffer>,
  compression: Compression,
  write: (bytes: Buffer) => Promise<void>,
  level?: number,
): Promise<NewLayer> {
  const [plain, packed] = [new DigestHasher("sha256"), new DigestHasher("sha256")];
  let size = 0;
  const hashed = async function* () {
    for await (const piece of archive) {
      plain.update(piece);
      yield piece;
    }
  };
  for await (const bytes of compress(hashed(), compression, level)) {
    packed.update(bytes);
    size += bytes.length;
    await write(bytes);
  }
  return { mediaType: mediaTypes[compression], digest: packed.finish(), size, diffId: plain.finish() };
}

function compress(
  pieces: AsyncIterable<Buffer>,
  compression: Compression,
  level: number | undefined,
): AsyncIterable<Buffer> {
  if (compression === "none") return pieces;
  if (compression === "gzip") return gzipInParallel(pieces, level);
  const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
  return Readable.from(pieces).compose(createZstdCompress({ chunkSize: 256 << 10, params })) as AsyncIterable<Buffer>;
}
