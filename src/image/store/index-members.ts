import type { Digest } from "../digest.ts";
import { parseDocument } from "../documents.ts";
import { isIndex } from "../media-types.ts";
import type { ImageStore } from "./image-store.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/**
 * The digests of the manifests that an index names, and of those of the indexes in it, each once; of a manifest its own.
 * @throws BunkerError as `ImageStore.readDocument`, and `image_invalid`
 */
export function manifestsOf(store: ImageStore, root: Pick<BlobDescriptor, "mediaType" | "digest">): Digest[] {
  const manifests = new Set<Digest>();
  const seen = new Set<Digest>();
  const visit = ({ mediaType, digest }: typeof root) => {
    if (!isIndex(mediaType)) {
      manifests.add(digest);
      return;
    }
    // Of an index of indexes one may not have been stored.
    if (seen.has(digest) || store.blobPath(digest) === undefined) return;
    seen.add(digest);
    parseDocument("index", store.readDocument(digest), `index ${digest}`).manifests.forEach(visit);
  };
  visit(root);
  return [...manifests];
}
