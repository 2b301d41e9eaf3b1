import type { Digest } from "../digest.ts";
import { isIndex } from "../media-types.ts";
import type { ImageStore } from "./image-store.ts";
import { manifestsOf } from "./index-members.ts";

/**
 * The images of the store that are here only as part of an index. Of an index that was stored whole its name stands for the image that
 * fits this machine; those for other platforms have no name of their own, but are not dangling either.
 * @returns the digests of their manifests
 * @throws BunkerError as `ImageStore.readDocument`, and `image_invalid`
 */
export function imagesOfIndexes(store: ImageStore): ReadonlySet<Digest> {
  const rows = store.state.all<{ manifest: Digest }>(
    "SELECT manifest FROM image WHERE NOT EXISTS (SELECT 1 FROM name WHERE image = manifest)",
  );
  const nameless = new Set(rows.map(({ manifest }) => manifest));
  if (nameless.size === 0) return nameless;
  const targets = store.state.all<{ digest: Digest; mediaType: string }>(
    "SELECT DISTINCT target AS digest, target_media_type AS mediaType FROM name WHERE image IS NOT NULL",
  );
  const indexes = targets.filter(({ mediaType }) => isIndex(mediaType));
  return nameless.intersection(new Set(indexes.flatMap((index) => manifestsOf(store, index))));
}
