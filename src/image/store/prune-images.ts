import { unpackedSize } from "../layers/layer-directory.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { familiarName, type ImageStore } from "./image-store.ts";
import type { ImageUsers, Removal } from "./remove-image.ts";
import type { StoredImage } from "./stored-image.ts";

/** What `pruneImages` did. */
export interface Pruned {
  /** For each image that was removed, its names and what is gone with it. */
  readonly removals: readonly Removal[];
  /** Bytes of blobs and of unpacked layers. */
  readonly reclaimed: number;
}

/**
 * Removes images that no container uses, and everything else that nothing needs.
 * @param isWanted tells which of them are to go
 * @throws BunkerError `store_read_only`
 */
export function pruneImages(store: ImageStore, isWanted: (image: StoredImage) => boolean, users: ImageUsers): Pruned {
  const wanted = store.list().filter((image) => !image.isReadOnly && isWanted(image));
  const doomed = wanted.length === 0 ? [] : takeAway(store, wanted, isWanted, users);
  const sizes = new Map(
    doomed.flatMap(({ layers }) =>
      layers.map((layer) => [layer.chainId, unpackedSize(layer, store.directory) ?? 0] as const),
    ),
  );
  const garbage = collectGarbage(store, users);
  const left = new Set(garbage.layers);
  const removals = doomed.map(({ id, layers, names, repositoryDigests }) => {
    // A layer that several had is said to be gone once.
    const own = layers.map(({ chainId }) => chainId).filter((chainId) => left.delete(chainId));
    return { untagged: [...names, ...repositoryDigests].map(familiarName), deleted: [id, ...own.reverse()] };
  });
  const unpacked = garbage.layers.reduce((sum, chainId) => sum + (sizes.get(chainId) ?? 0), 0);
  return { removals, reclaimed: garbage.blobSize + unpacked };
}

/**
 * Takes images out of the database, but those that containers use, and those that somebody has given a name meanwhile so
 * that they are wanted no more.
 */
function takeAway(
  store: ImageStore,
  images: readonly StoredImage[],
  isWanted: (image: StoredImage) => boolean,
  users: ImageUsers,
): readonly StoredImage[] {
  const unused = () => images.filter((image) => users.usersOf(image).length === 0);
  return store.changeAlone(unused, (state, found) => {
    const doomed = store.own(found.map(({ manifest }) => manifest.digest)).filter(isWanted);
    for (const { manifest } of doomed) state.run("DELETE FROM image WHERE manifest = ?", manifest.digest);
    return doomed;
  });
}
