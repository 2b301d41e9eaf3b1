/*
 * Reading what a name stands for at its source: a manifest, or an index, which names manifests and further indexes.
 * Everything is verified. Digests make circles of indexes impossible; how deep they may be nested is bounded, and how much
 * there may be of everything together, since it is kept until the image has been moved.
 */

import { BunkerError } from "../../sys/error.ts";
import { verifyDigest } from "../blob.ts";
import type { Digest } from "../digest.ts";
import { type Descriptor, type Index, invalidDocument, parseDocument } from "../documents.ts";
import { checkArchitecture, chooseManifest, MAXIMUM_DEPTH } from "../manifest-choice.ts";
import { isIndex } from "../media-types.ts";
import { formatPlatform, hostPlatform, type Platform } from "../platform.ts";
import type { ImageReader, Manifest } from "./transport.ts";

/** Bytes of all manifests and indexes of a name; an image for ten platforms with all attestations has some ten thousand. */
const MAXIMUM_SIZE = 64 << 20;

/**
 * Reads the manifest or index that the image's name stands for.
 * @throws BunkerError `digest_mismatch`, and as the reader does
 */
export async function readRoot(reader: ImageReader): Promise<Manifest> {
  return verified(await reader.readManifest(), undefined, reader);
}

/**
 * Reads the one manifest that a platform's image has.
 * @param root what the name stands for; the answer itself when it is no index
 * @param platform this machine's unless given
 * @throws BunkerError `digest_mismatch`, `image_invalid`, and as `chooseManifest` and the reader do
 */
export async function readManifestFor(
  reader: ImageReader,
  root: Manifest,
  platform: Platform | undefined,
): Promise<Manifest> {
  if (!isIndex(root.mediaType)) return root;
  const indexes = new Map((await readIndexes(reader, root)).map((index) => [index.digest, parseIndex(index, reader)]));
  const indexOf = ({ digest }: { readonly digest: Digest }) => {
    const index = indexes.get(digest);
    if (index === undefined) throw new Error(`the index ${digest} was not read`);
    return index;
  };
  const chosen = chooseManifest(indexOf(root), undefined, platform, indexOf, reader.name);
  checkArchitecture(chosen, platform, reader.name);
  if (reader.hasManifest?.(chosen) === false) {
    throw new BunkerError({
      code: "platform_mismatch",
      operation: "choose the image for a platform from",
      object: reader.name,
      reason: `its index names one for ${formatPlatform(platform ?? hostPlatform())}, which is not there`,
      hint: "Choose another one with --platform.",
    });
  }
  return verified(await reader.readManifest(chosen), chosen, reader);
}

/**
 * Which images of those that a name stands for: those for some platforms, the one for this machine where none is given;
 * or all of an index. With several goes the index, as it is, so that its digest stays: what it names besides is missing
 * then. `present` is all that the reader has of such an index.
 */
export type ImageChoice = readonly Platform[] | "all" | "present";

/**
 * Reads what is chosen of what a name stands for.
 * @param root what the name stands for
 * @returns manifests and indexes, what an index names before it, each once
 * @throws BunkerError as `readManifestFor`; `image_not_found` when nothing is there of an index
 */
export async function readChosenManifests(
  reader: ImageReader,
  root: Manifest,
  choice: ImageChoice,
): Promise<Manifest[]> {
  if (choice === "all") return readAllManifests(reader, root);
  if (choice === "present") return readPresentManifests(reader, root);
  if (choice.length < 2) return [await readManifestFor(reader, root, choice[0])];
  const chosen = new Map<Digest, Manifest>();
  for (const platform of choice) {
    const manifest = await readManifestFor(reader, root, platform);
    chosen.set(manifest.digest, manifest);
  }
  const indexes = isIndex(root.mediaType) ? await readIndexes(reader, root) : [];
  return [...chosen.values(), ...indexes.reverse()];
}

async function readPresentManifests(reader: ImageReader, root: Manifest): Promise<Manifest[]> {
  const manifests = await readAllManifests(reader, root, (descriptor) => reader.hasManifest?.(descriptor) !== false);
  if (manifests.some(({ mediaType }) => !isIndex(mediaType))) return manifests;
  throw new BunkerError({
    code: "image_not_found",
    operation: "find an image in",
    object: reader.name,
    reason: `none of those is there that its index ${root.digest} names`,
  });
}

/**
 * Reads everything that a name stands for.
 * @param root what the name stands for
 * @param isWanted whether to read what an index names; everything unless given
 * @returns manifests and indexes, what an index names before it, each once
 * @throws BunkerError as `readManifestFor`
 */
export async function readAllManifests(
  reader: ImageReader,
  root: Manifest,
  isWanted: (descriptor: Descriptor) => boolean = () => true,
): Promise<Manifest[]> {
  const indexes = await readIndexes(reader, root, isWanted);
  const read = new Map(indexes.map((index) => [index.digest, index]));
  const ordered = new Map<Digest, Manifest>();
  let size = sizeOf(indexes);
  const visit = async (manifest: Manifest) => {
    const entries = isIndex(manifest.mediaType) ? parseIndex(manifest, reader).manifests : [];
    for (const entry of entries) {
      if (ordered.has(entry.digest) || !isWanted(entry)) continue;
      const index = read.get(entry.digest);
      const member = index ?? verified(await reader.readManifest(entry), entry, reader);
      if (index === undefined) size = boundedSum(size, member, reader);
      await visit(member);
    }
    ordered.set(manifest.digest, manifest);
  };
  await visit(root);
  return [...ordered.values()];
}

/** Reads the indexes that an index names, and those that these name; returns them with the first. */
async function readIndexes(
  reader: ImageReader,
  root: Manifest,
  isWanted: (descriptor: Descriptor) => boolean = () => true,
): Promise<Manifest[]> {
  const read = new Map<Digest, Manifest>();
  let size = 0;
  const visit = async (manifest: Manifest, depth: number) => {
    if (!isIndex(manifest.mediaType)) return;
    if (depth > MAXIMUM_DEPTH) {
      throw invalidDocument(reader.name, `its indexes are nested more than ${MAXIMUM_DEPTH} deep`);
    }
    size = boundedSum(size, manifest, reader);
    read.set(manifest.digest, manifest);
    for (const entry of parseIndex(manifest, reader).manifests) {
      if (!isIndex(entry.mediaType) || read.has(entry.digest) || !isWanted(entry)) continue;
      await visit(verified(await reader.readManifest(entry), entry, reader), depth + 1);
    }
  };
  await visit(root, 0);
  return [...read.values()];
}

function sizeOf(manifests: readonly Manifest[]): number {
  return manifests.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** @throws BunkerError `image_invalid` when that is too much */
function boundedSum(size: number, { bytes }: Manifest, { name }: ImageReader): number {
  const sum = size + bytes.length;
  if (sum <= MAXIMUM_SIZE) return sum;
  throw invalidDocument(name, `its manifests have more than ${MAXIMUM_SIZE >> 20} MiB together`);
}

function parseIndex({ digest, bytes }: Manifest, { name }: ImageReader): Index {
  return parseDocument("index", bytes, `index ${digest} of ${name}`);
}

function verified(manifest: Manifest, descriptor: Descriptor | undefined, { name }: ImageReader): Manifest {
  verifyDigest(manifest.bytes, descriptor?.digest ?? manifest.digest, `the manifest of ${name}`);
  return manifest;
}
