import type { StoredImage, StoredList } from "../../image/store/stored-image.ts";

/**
 * A list of images in the form in which images are filtered, sorted and shown: it has a name and a digest, and nothing of
 * what an image has besides.
 * @param store the directory of its store
 */
export function listAsImage({ name, target }: StoredList, store: string): StoredImage {
  return {
    id: target.digest,
    manifest: target,
    configuration: { digest: target.digest, size: target.size },
    names: [name],
    repositoryDigests: [],
    platform: { os: "", architecture: "", variant: undefined },
    created: undefined,
    added: 0,
    tagged: 0,
    labels: {},
    layers: [],
    store,
    isReadOnly: false,
  };
}
