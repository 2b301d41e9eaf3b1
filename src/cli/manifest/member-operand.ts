import type { Digest } from "../../image/digest.ts";
import type { NamedList } from "../../image/manifest-list/list-store.ts";
import { parseReference } from "../../image/reference.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * The digest of the manifest that a user means in a list: a digest, a name with a digest, or the name or id of an image
 * in the store.
 * @throws BunkerError `manifest_not_found`, `invalid_reference`
 */
export function memberDigest(store: ImageStore, { list, name }: NamedList, text: string): Digest {
  if (DIGEST.test(text)) return text as Digest;
  const image = store.findIfThere(text);
  const known = list.manifests.find(({ digest }) => digest === image?.manifest.digest)?.digest;
  const found = known ?? parseReference(text).digest;
  if (found !== undefined) return found;
  throw new BunkerError({
    code: "manifest_not_found",
    operation: `find ${text} in`,
    object: `the list ${name}`,
    reason: "no image of it is known by this name here",
    hint: "Name the image by its digest: sha256:….",
  });
}
