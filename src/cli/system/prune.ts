import { WITHOUT_LIMITS } from "../../build/cache/cache-space.ts";
import { pruneBuilds } from "../../build/prune-builds.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/image-users.ts";
import { cleanUp } from "../../engine/lifecycle/remove-container.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { pruneImages } from "../../image/store/prune-images.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";

import { pruneContainers } from "../container/prune.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { pruneFilter, pruneFilterOption } from "../filters/prune-filter.ts";
import { humanSize } from "../format/human-size.ts";
import { imageFilter } from "../image/image-filters.ts";
import { untilInterrupted } from "../interruption.ts";
import { pruneNetworks } from "../network/prune.ts";
import { flag } from "../option.ts";
import { pruneVolumes } from "../volume/prune.ts";
import { volumeFilter } from "../volume/volume-filters.ts";

/** `bunker system prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Remove all unused images, not only those without a name" }),
      filters: pruneFilterOption,
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
      volumes: flag({ name: "volumes", description: "Remove unused volumes without a name, too" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, filters, force, volumes } }) => {
    const fits = pruneFilter(filters, Date.now());
    if (!force) {
      const images = all ? "all images without at least one container associated to them" : "all dangling images";
      const volumeLines = volumes ? ["  - all anonymous volumes not used by at least one container"] : [];
      const lines = [
        "WARNING! This will remove:",
        "  - all stopped containers",
        "  - all networks not used by at least one container",
        ...volumeLines,
        `  - ${images}`,
        "  - unused build cache",
        "",
      ];
      await confirm(lines.join("\n"), "system prune");
    }
    const data = dataDirectory();
    const containers = pruneContainers(({ created, definition: { labels } }) => fits({ created, labels }));
    if (containers.ids.length > 0) console.log(["Deleted Containers:", ...containers.ids, ""].join("\n"));
    {
      using database = openContainers(data);
      cleanUp(database, data);
    }
    const networks = pruneNetworks(fits);
    if (networks.length > 0) console.log(["Deleted Networks:", ...networks, ""].join("\n"));
    const isLabelled = volumeFilter(
      (key) => (key === "label" || key === "label!" ? filters(key) : []),
      () => false,
    );
    // Without --volumes only what killed commands have left.
    const pruned = pruneVolumes((volume) => volumes && volume.isAnonymous && isLabelled(volume));
    if (pruned.names.length > 0) console.log(["Deleted Volumes:", ...pruned.names, ""].join("\n"));
    using store = openImageStore(data);
    const isWanted = imageFilter((key) => (key === "dangling" ? [] : filters(key)), store, Date.now());
    const images = pruneImages(
      store,
      (image) => (all || image.names.length === 0) && isWanted(image),
      imageUsers(data),
    );
    if (images.removals.length > 0) {
      console.log("Deleted Images:");
      for (const { untagged, deleted } of images.removals) {
        for (const name of untagged) console.log(`untagged: ${name}`);
        for (const digest of deleted) console.log(`deleted: ${digest}`);
      }
      console.log();
    }
    const wish = { all, until: untilOf(filters("until")), ids: [], types: [], space: WITHOUT_LIMITS };
    const builds = await untilInterrupted((signal) => pruneBuilds(data, wish, signal));
    if (builds.ids.length > 0) console.log(["Deleted build cache objects:", ...builds.ids, ""].join("\n"));
    const sizes = [containers, pruned, images, builds].map(({ reclaimed }) => reclaimed);
    console.log(`Total reclaimed space: ${humanSize(sizes.reduce((sum, size) => sum + size))}`);
    return 0;
  },
);

/** The earliest of some points in time. */
function untilOf(texts: readonly string[]): number | undefined {
  const times = texts.map((text) => parsePointInTime(text, Date.now()));
  return times.length === 0 ? undefined : Math.min(...times);
}
