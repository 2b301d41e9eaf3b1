import type { Digest } from "../digest.ts";
import { parseDocument } from "../documents.ts";
import { isIndex } from "../manifest-choice.ts";
import type { ImageStore } from "./image-store.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/**
 * The digests of the manifests that an index names, and of those of the indexes in it; of a manifest its own.
 * @throws BunkerError as `ImageStore.readDocument`, and `image_invalid`
 */
export function manifestsOf(
  store: ImageStore,
  { mediaType, digest }: Pick<BlobDescriptor, "mediaType" | "digest">,
): Digest[] {
  if (!isIndex(mediaType)) return [digest];
  // Of an index of indexes one may not have been stored.
  if (store.blobPath(digest) === undefined) return [];
  const { manifests } = parseDocument("index", store.readDocument(digest), `index ${digest}`);
  return manifests.flatMap((manifest) => manifestsOf(store, manifest));
}
