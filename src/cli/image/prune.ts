import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/image-users.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { imagesOfIndexes } from "../../image/store/index-images.ts";
import { pruneImages } from "../../image/store/prune-images.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterOption } from "../filters/filter-option.ts";
import { humanSize } from "../format/human-size.ts";
import { flag } from "../option.ts";
import { imageFilter } from "./image-filters.ts";

const RECLAIMED_DIGITS = 4;

/** `bunker image prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Remove all unused images, not only those without a name" }),
      filters: filterOption(["dangling", "label", "label!", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, filters, force } }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    // `dangling=false` is another way to say `--all`.
    const isUnused = all || filters("dangling").includes("false");
    const fits = imageFilter((key) => (key === "dangling" ? [] : filters(key)), store, Date.now());
    if (!force) {
      const which = isUnused ? "all images without at least one container associated to them" : "all dangling images";
      await confirm(`WARNING! This will remove ${which}.`, "image prune");
    }
    const ofIndexes = imagesOfIndexes(store, store.list());
    const isDangling = ({ names, manifest }: StoredImage) => names.length === 0 && !ofIndexes.has(manifest.digest);
    const { removals, reclaimed } = pruneImages(
      store,
      (image) => (isUnused || isDangling(image)) && fits(image),
      imageUsers(data),
    );
    if (removals.length > 0) {
      console.log("Deleted Images:");
      for (const { untagged, deleted } of removals) {
        for (const name of untagged) console.log(`untagged: ${name}`);
        for (const digest of deleted) console.log(`deleted: ${digest}`);
      }
      console.log();
    }
    console.log(`Total reclaimed space: ${humanSize(reclaimed, RECLAIMED_DIGITS)}`);
    return 0;
  },
);
