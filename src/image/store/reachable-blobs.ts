import type { Digest } from "../digest.ts";
import { parseDocument } from "../documents.ts";
import { isIndex, isManifest } from "../media-types.ts";
import type { ImageStore } from "./image-store.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/**
 * Finds all blobs that a manifest or an index means, itself included; of an index also what it names, as far as it is
 * here.
 * @param reachable gets them
 * @param seen the documents that have been looked into; the same for several calls with the same `reachable`
 * @throws BunkerError as `ImageStore.readDocument`, `image_invalid`
 */
export function addReachableBlobs(
  store: ImageStore,
  { digest, mediaType }: Pick<BlobDescriptor, "digest" | "mediaType">,
  reachable: Set<Digest>,
  seen: Set<Digest> = new Set(),
): void {
  reachable.add(digest);
  if (seen.has(digest) || store.blobPath(digest) === undefined) return;
  if (isIndex(mediaType)) {
    seen.add(digest);
    const { manifests } = parseDocument("index", store.readDocument(digest), `index ${digest}`);
    for (const child of manifests) addReachableBlobs(store, child, reachable, seen);
  } else if (isManifest(mediaType)) {
    seen.add(digest);
    const { config, layers } = parseDocument("manifest", store.readDocument(digest), `manifest ${digest}`);
    for (const blob of [config, ...layers]) reachable.add(blob.digest);
  }
}
