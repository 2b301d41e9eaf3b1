/*
 * Archives of `docker save`, as images with manifests.
 *
 * Such an archive names configuration and layers only. Where it is an image layout besides, as Docker 25 and Bunker
 * write it, the manifest with the same configuration there is the image's, so that digests survive. Otherwise one is
 * made, of Docker's kind, with the layers as they lie in the archive; it has the form that containers/image gives it,
 * and so the same digest everywhere.
 */

import type { BlobLocation } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import { detectCompression, SIGNATURE_SIZE } from "../compression.ts";
import { type Digest, DigestHasher } from "../digest.ts";
import { chooseArchivedImage, type DockerImage, readDockerManifest } from "../docker-archive.ts";
import { type Descriptor, parseDocument } from "../documents.ts";
import { readLayoutIndex } from "../image-layout.ts";
import { blobPath, type LayoutFiles, readBlob } from "../layout-files.ts";
import { DOCKER_CONFIGURATION, DOCKER_MANIFEST, isIndex } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { layoutReader } from "./layout-reader.ts";
import { manifestOf } from "./manifest.ts";
import type { ImageReader } from "./transport.ts";

const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
const layerMediaTypes = { none: DOCKER_LAYER, gzip: `${DOCKER_LAYER}.gzip`, zstd: `${DOCKER_LAYER}.zstd` } as const;

/**
 * Reads an image of such an archive.
 * @param reference,platform as `openDockerArchive`
 * @param name of the image, for messages
 * @throws BunkerError as `openDockerArchive`
 */
export async function openDockerArchiveReader(
  files: LayoutFiles,
  reference: string | undefined,
  platform: Platform | undefined,
  name: string,
): Promise<ImageReader> {
  const image = chooseArchivedImage(files, readDockerManifest(files, name), reference, platform, name);
  return dockerImageReader(files, image, name);
}

/** Reads one image of such an archive. */
export async function dockerImageReader(files: LayoutFiles, image: DockerImage, name: string): Promise<ImageReader> {
  const own = findOwnManifest(files, image.configurationDigest, name);
  return own === undefined ? withMadeManifest(image, name) : layoutReader(files, own, name);
}

/** The manifest in the archive's image layout that has this configuration. */
function findOwnManifest(files: LayoutFiles, configuration: Digest, name: string): Descriptor | undefined {
  if (!files.has("oci-layout") || !files.has("index.json")) return undefined;
  const seen = new Set<Digest>();
  const search = (descriptors: readonly Descriptor[], depth: number): Descriptor | undefined => {
    for (const descriptor of descriptors) {
      if (seen.has(descriptor.digest) || !files.has(blobPath(descriptor.digest))) continue;
      seen.add(descriptor.digest);
      const bytes = readBlob(files, descriptor, "manifest");
      const document = `manifest ${descriptor.digest} of ${name}`;
      if (!isIndex(descriptor.mediaType)) {
        if (parseDocument("manifest", bytes, document).config.digest === configuration) return descriptor;
      } else if (depth > 0) {
        const found = search(parseDocument("index", bytes, document).manifests, depth - 1);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return search(readLayoutIndex(files, name).manifests, 1);
}

async function withMadeManifest(image: DockerImage, name: string): Promise<ImageReader> {
  const places = new Map<Digest, BlobLocation>([[image.configurationDigest, image.configurationBlob]]);
  const layers = [];
  for (const { blob, diffId } of image.layers) {
    const layer = await describeLayer(blob, diffId, name);
    places.set(layer.digest, blob);
    layers.push(layer);
  }
  const config = {
    mediaType: DOCKER_CONFIGURATION,
    size: image.configurationBlob.size,
    digest: image.configurationDigest,
  };
  const document = { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers };
  const manifest = manifestOf({ mediaType: DOCKER_MANIFEST }, Buffer.from(JSON.stringify(document)), name);
  return {
    name,
    readManifest: async () => manifest,
    async *readBlob({ digest }, { signal, offset }) {
      const place = places.get(digest);
      if (place === undefined) throw new Error(`${digest} is not of this image`);
      yield* streamBlob(place, signal, offset);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The digest of a plain layer is its diff id; that of a compressed one has to be computed. */
async function describeLayer(blob: BlobLocation, diffId: Digest, name: string) {
  const { signal } = new AbortController();
  const size = Math.min(SIGNATURE_SIZE, blob.size);
  const start: Buffer[] = [];
  for await (const piece of streamBlob({ ...blob, size }, signal, 0, name)) start.push(piece);
  const compression = detectCompression(Buffer.concat(start));
  const mediaType = layerMediaTypes[compression === "gzip" || compression === "zstd" ? compression : "none"];
  if (compression === undefined) return { mediaType, size: blob.size, digest: diffId };
  const hasher = new DigestHasher("sha256");
  for await (const piece of streamBlob(blob, signal)) hasher.update(piece);
  return { mediaType, size: blob.size, digest: hasher.finish() };
}
