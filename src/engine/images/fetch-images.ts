import type { ImageSource } from "../../image/image-source.ts";
import { parsePlatform } from "../../image/platform.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Ownership } from "../ownership.ts";
import type { RunOptions } from "../specification/run-options.ts";
import type { PullHere } from "./pull-for-user.ts";

/**
 * Sees to it that those of a new container's images which the store is to have are in it.
 * @param images of the container and of its mounts
 * @returns the store, open for as long as the database is; undefined when no image is from there
 * @throws BunkerError as `imageStoreIn` and `fetchImage`
 */
export async function fetchImages(
  database: StateDatabase,
  data: string,
  images: readonly ImageSource[],
  options: Pick<RunOptions, "platform" | "pull" | "quiet" | "registry">,
  ownership: Ownership,
  { pullHere, onWarning }: { readonly pullHere: PullHere; readonly onWarning: (message: string) => void },
): Promise<ImageStore | undefined> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const mayBeHere = options.pull === "missing" || options.pull === "never";
  let store: ImageStore | undefined;
  for (const image of images) {
    if (image.kind !== "stored") continue;
    store ??= (await import("../../image/store/image-store.ts")).imageStoreIn(data, database);
    // The usual case, which has no need of the code that pulls.
    if (mayBeHere && store.findIfThere(image.name, platform) !== undefined) continue;
    const { fetchImage } = await import("./pull-for-user.ts");
    await fetchImage(image.name, options, ownership, data, pullHere, onWarning);
  }
  return store;
}
