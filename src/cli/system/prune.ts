import { dataDirectory } from "../../engine/data-directory.ts";
import { cleanUp } from "../../engine/lifecycle/remove-container.ts";
import { sweepSecrets } from "../../engine/secrets/secret-data.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { openSecrets } from "../../engine/state/secrets.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneContainers } from "../container/prune.ts";
import { untilFilter } from "../filters/filter-value.ts";
import { pruneFilter, pruneFilterOption } from "../filters/prune-filter.ts";
import { humanSize } from "../format/human-size.ts";
import { imageFilter } from "../image/image-filters.ts";
import { pruneBuildsOf, pruneImagesHere } from "../image/prune-here.ts";
import { pruneNetworks } from "../network/prune.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { pruneVolumes } from "../volume/prune.ts";

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
    if (containers.ids.length > 0) print(["Deleted Containers:", ...containers.ids, ""].join("\n"));
    {
      using database = openContainers(data);
      cleanUp(database, data);
      using secrets = openSecrets(data);
      sweepSecrets(secrets, data);
    }
    const networks = pruneNetworks(fits);
    if (networks.length > 0) print(["Deleted Networks:", ...networks, ""].join("\n"));
    // Without --volumes only what killed commands have left.
    const pruned = pruneVolumes((volume) => volumes && volume.isAnonymous && fits(volume));
    if (pruned.names.length > 0) print(["Deleted Volumes:", ...pruned.names, ""].join("\n"));
    using store = openImageStore(data);
    const isWanted = imageFilter((key) => (key === "dangling" ? [] : filters(key)), store, Date.now());
    const images = pruneImagesHere(store, all, isWanted);
    const times = filters("until").map((text) => untilFilter(text, Date.now()));
    const builds = await pruneBuildsOf(data, all, times);
    print(`Total reclaimed space: ${humanSize(containers.reclaimed + pruned.reclaimed + images + builds)}`);
    return 0;
  },
);
