import { dataDirectory } from "../../engine/data-directory.ts";
import { recordPruneEvent } from "../../engine/events/journal.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { listVolumes, usersOf, type Volume } from "../../engine/state/volumes.ts";
import { removeVolume, sweepVolumes } from "../../engine/volumes/remove-volume.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterOption } from "../filters/filter-option.ts";
import { pruneFilter } from "../filters/prune-filter.ts";
import { humanSize } from "../format/human-size.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";

/** `bunker volume prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Remove those with a name, too" }),
      filters: filterOption(["all", "label", "label!", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, filters, force } }) => {
    // Another way to say `--all`.
    const isAll = all || filters("all").some((text) => text === "true" || text === "1");
    const fits = pruneFilter(filters, Date.now());
    if (!force) {
      const which = isAll ? "all local volumes" : "anonymous local volumes";
      await confirm(`WARNING! This will remove ${which} not used by at least one container.`, "volume prune");
    }
    const { names, reclaimed } = pruneVolumes((volume) => (isAll || volume.isAnonymous) && fits(volume));
    if (names.length > 0) print(["Deleted Volumes:", ...names, ""].join("\n"));
    print(`Total reclaimed space: ${humanSize(reclaimed)}`);
    return 0;
  },
);

/**
 * Removes volumes that no container uses, and what killed commands have left of others.
 * @returns their names, and the bytes that were in them
 */
export function pruneVolumes(fits: (volume: Volume) => boolean): {
  readonly names: readonly string[];
  readonly reclaimed: number;
} {
  const data = dataDirectory();
  using database = openContainers(data);
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  sweepVolumes(data);
  const names: string[] = [];
  let reclaimed = 0;
  for (const volume of listVolumes(database)) {
    if (!fits(volume) || usersOf(database, data, volume.name).length > 0) continue;
    const size = ownedTreeSize(volumeContent(data, volume.name), userNamespace);
    try {
      removeVolume(database, data, volume);
    } catch (error) {
      // A container has just begun to use it, or somebody has removed it.
      if (error instanceof BunkerError && ["volume_in_use", "no_such_volume"].includes(error.code)) continue;
      throw error;
    }
    names.push(volume.name);
    reclaimed += size;
  }
  recordPruneEvent(data, "volume", reclaimed);
  return { names, reclaimed };
}
