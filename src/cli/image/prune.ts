import { dataDirectory } from "../../engine/data-directory.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterOption } from "../filters/filter-option.ts";
import { truthFilter, untilFilter } from "../filters/filter-value.ts";
import { humanSize } from "../format/human-size.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { imageFilter } from "./image-filters.ts";
import { pruneBuildsOf, pruneImagesHere } from "./prune-here.ts";

const RECLAIMED_DIGITS = 4;

/** `bunker image prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Remove all unused images, not only those without a name" }),
      buildCache: flag({ name: "build-cache", description: "Remove the build cache that no image has, too" }),
      filters: filterOption(["dangling", "label", "label!", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, buildCache, filters, force } }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    // `dangling=false` is another way to say `--all`.
    const isUnused = all || filters("dangling").some((text) => !truthFilter("dangling", text));
    const fits = imageFilter((key) => (key === "dangling" ? [] : filters(key)), store, Date.now());
    if (!force) {
      const which = isUnused ? "all images without at least one container associated to them" : "all dangling images";
      await confirm(`WARNING! This will remove ${which}.`, "image prune");
    }
    const images = pruneImagesHere(store, isUnused, fits);
    const builds = buildCache
      ? await pruneBuildsOf(
          data,
          false,
          filters("until").map((text) => untilFilter(text, Date.now())),
        )
      : 0;
    print(`Total reclaimed space: ${humanSize(images + builds, RECLAIMED_DIGITS)}`);
    return 0;
  },
);
