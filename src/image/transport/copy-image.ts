/*
 * Moving an image from any reader to any writer.
 *
 * First the manifests are read: the one that the name stands for, and of an index those that are wanted. Their blobs
 * are then moved, several at a time, each once, and only those that the destination does not have. Manifests follow
 * when everything that they name is there: images before the index that names them, the root last. They are written as
 * they are, so digests are the same at both ends, unless they are to be of the other kind (OCI's, Docker's).
 *
 * The first failure stops what else is being moved.
 */

import { BunkerError } from "../../sys/error.ts";
import { retellError } from "../../sys/retell-error.ts";
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import { isIndex } from "../media-types.ts";
import { blobsOf } from "./manifest.ts";
import { convertManifests, type ManifestKind } from "./manifest-conversion.ts";
import { type ImageChoice, readChosenManifests, readRoot } from "./read-manifests.ts";
import type { ImageReader, ImageWriter, Manifest } from "./transport.ts";

/** Blobs that are moved at the same time. */
const PARALLEL = 4;

/** What happens to a blob: it is there already, it begins to move, some bytes more have moved, it has arrived. */
export type CopyEvent =
  | { readonly kind: "present" | "begin" | "end"; readonly blob: Descriptor }
  | { readonly kind: "bytes"; readonly blob: Descriptor; readonly bytes: number };

export interface CopyOptions {
  readonly images: ImageChoice;
  /** Whose manifests are to be written; as they are unless given, or where the destination takes only OCI's. */
  readonly manifestKind?: ManifestKind | undefined;
  /** Whether it is an error when a digest would change. */
  readonly keepsDigests?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (event: CopyEvent) => void;
}

/** What a copy came to. */
export interface CopiedImage {
  /** The manifest or index that the name stands for at the destination. */
  readonly root: Manifest;
  /** The digest of the same at the source; another one when it had to be converted. */
  readonly sourceDigest: Digest;
}

/**
 * Copies an image and commits it.
 * @throws BunkerError `image_not_found`, `image_invalid`, `platform_mismatch`, `digest_mismatch`, `not_convertible`,
 *   `no_space` and what reader and writer can meet; the reason of `signal` when that ends it. Nothing was committed then
 */
export async function copyImage(reader: ImageReader, writer: ImageWriter, options: CopyOptions): Promise<CopiedImage> {
  const found = await readChosenManifests(reader, await readRoot(reader), options.images);
  const kind = options.manifestKind ?? (writer.requiresOci === true ? "oci" : undefined);
  if (kind === "docker" && writer.requiresOci === true) {
    const reason = "it holds manifests of OCI's kind only";
    throw new BunkerError({
      code: "not_convertible",
      operation: "write Docker's manifests to",
      object: writer.name,
      reason,
    });
  }
  const manifests = kind === undefined ? found : convertManifests(found, kind, reader.name);
  const [source, root] = [found.at(-1), manifests.at(-1)];
  if (source === undefined || root === undefined) throw new Error("an image without a manifest");
  if (options.keepsDigests === true && root.digest !== source.digest) {
    throw new BunkerError({
      code: "not_convertible",
      operation: "keep the digest of",
      object: reader.name,
      reason: `${writer.name} is to have manifests of the other kind`,
      hint: "Leave out --preserve-digests and --format, or choose another destination.",
    });
  }
  const images = manifests.filter(({ mediaType }) => !isIndex(mediaType));
  const blobs = images.flatMap((manifest) => blobsOf(manifest, reader.name));
  const each = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  writer.checkRoom?.(each);
  await copyBlobs(each, reader, writer, options);
  for (const manifest of manifests) {
    options.signal.throwIfAborted();
    await writer.writeManifest(manifest, manifest === root);
  }
  await writer.commit();
  return { root, sourceDigest: source.digest };
}

/**
 * Moves blobs that the writer does not have.
 * @param blobs each once
 * @throws BunkerError as `copyImage`
 */
export async function copyBlobs(
  blobs: readonly Descriptor[],
  reader: ImageReader,
  writer: ImageWriter,
  { signal, onProgress }: Pick<CopyOptions, "signal" | "onProgress">,
): Promise<void> {
  const queue = blobs.values();
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  let failure: { readonly cause: unknown } | undefined;
  const runQueue = async () => {
    for (const blob of queue) {
      if (stop.aborted) return;
      try {
        if (await writer.hasBlob(blob, reader)) {
          onProgress({ kind: "present", blob });
          continue;
        }
        onProgress({ kind: "begin", blob });
        await writer.writeBlob(blob, (offset) => reader.readBlob(blob, { signal: stop, offset }), {
          signal: stop,
          onProgress: (bytes) => onProgress({ kind: "bytes", blob, bytes }),
        });
        onProgress({ kind: "end", blob });
      } catch (cause) {
        failure ??= { cause: blobError(cause, blob, reader) };
        failed.abort();
      }
    }
  };
  const parallel = Math.min(writer.concurrency ?? PARALLEL, PARALLEL, blobs.length);
  await Promise.all(Array.from({ length: parallel }, runQueue));
  signal.throwIfAborted();
  if (failure !== undefined) throw failure.cause;
}

/** Says of which image a blob is not what it should be, and what to do about it. */
function blobError(cause: unknown, { digest }: Descriptor, { name, hintForDamage }: ImageReader): unknown {
  if (!(cause instanceof BunkerError)) return cause;
  const { code, hint = hintForDamage, message } = cause;
  if (code === "image_invalid") return retellError(cause, { hint });
  if (code !== "digest_mismatch") return cause;
  return retellError(cause, { operation: "copy", object: `blob ${digest} of ${name}`, reason: message, hint });
}
