import type { Digest } from "../digest.ts";
import { parseDocument } from "../documents.ts";
import { isIndex } from "../manifest-choice.ts";
import type { ImageStore } from "./image-store.ts";
import type { BlobDescriptor, StoredImage } from "./stored-image.ts";

/**
 * The images that are here only as part of an index. Of an index that was stored whole its name stands for the image that
 * fits this machine; those for other platforms have no name of their own, but are not dangling either.
 * @param images what `store.list` has told
 * @returns the digests of their manifests
 * @throws BunkerError as `ImageStore.readDocument`, and `image_invalid`
 */
export function imagesOfIndexes(store: ImageStore, images: readonly StoredImage[]): ReadonlySet<Digest> {
  const nameless = new Set(images.filter(({ names }) => names.length === 0).map(({ manifest }) => manifest.digest));
  if (nameless.size === 0) return nameless;
  const names = images.flatMap((image) => image.names);
  const indexes = new Map<Digest, BlobDescriptor>();
  for (const target of names.map((name) => store.target(name))) {
    if (target !== undefined && isIndex(target.mediaType)) indexes.set(target.digest, target);
  }
  const found = [...indexes.values()].flatMap((index) => manifestsOf(store, index));
  return new Set(found.filter((digest) => nameless.has(digest)));
}

function manifestsOf(store: ImageStore, { mediaType, digest }: Pick<BlobDescriptor, "mediaType" | "digest">): Digest[] {
  if (!isIndex(mediaType)) return [digest];
  // Of an index of indexes one may not have been stored.
  if (store.blobPath(digest) === undefined) return [];
  const { manifests } = parseDocument("index", store.readDocument(digest), `index ${digest}`);
  return manifests.flatMap((manifest) => manifestsOf(store, manifest));
}
