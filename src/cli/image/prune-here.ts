/** What `image prune` and `system prune` have in common: removing, and saying what has gone. */

import { WITHOUT_LIMITS } from "../../build/cache/cache-space.ts";
import { pruneBuilds } from "../../build/prune-builds.ts";
import { recordPruneEvent } from "../../engine/events/journal.ts";
import { imageUsers } from "../../engine/images/image-users.ts";
import { recordRemoval } from "../../engine/images/record-removal.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import { imagesOfIndexes } from "../../image/store/index-images.ts";
import { pruneImages } from "../../image/store/prune-images.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { untilInterrupted } from "../interruption.ts";
import { print } from "../print.ts";

/**
 * Removes images that no container uses, and prints their names and digests.
 * @param all also those that have a name
 * @param fits what the user's filters say of an image
 * @returns bytes
 */
export function pruneImagesHere(store: ImageStore, all: boolean, fits: (image: StoredImage) => boolean): number {
  const ofIndexes = imagesOfIndexes(store);
  const isDangling = ({ names, manifest }: StoredImage) => names.length === 0 && !ofIndexes.has(manifest.digest);
  const isWanted = (image: StoredImage) => (all || isDangling(image)) && fits(image);
  const { removals, reclaimed } = pruneImages(store, isWanted, imageUsers(store.directory));
  if (removals.length > 0) {
    print("Deleted Images:");
    for (const { untagged, deleted } of removals) {
      for (const name of untagged) print(`untagged: ${name}`);
      for (const digest of deleted) print(`deleted: ${digest}`);
    }
    print("");
  }
  for (const removal of removals) recordRemoval(store.directory, undefined, removal);
  recordPruneEvent(store.directory, "image", reclaimed);
  return reclaimed;
}

/**
 * Removes what builds keep and nothing uses, and prints the ids.
 * @param all also what images have, too
 * @param times what was last used before all of these, in milliseconds since 1970
 * @returns bytes
 */
export async function pruneBuildsOf(data: string, all: boolean, times: readonly number[]): Promise<number> {
  const until = times.length === 0 ? undefined : Math.min(...times);
  const wish = { all, until, ids: [], types: [], space: WITHOUT_LIMITS };
  const { ids, reclaimed } = await untilInterrupted((signal) => pruneBuilds(data, wish, signal));
  if (ids.length > 0) print(["Deleted build cache objects:", ...ids, ""].join("\n"));
  return reclaimed;
}
