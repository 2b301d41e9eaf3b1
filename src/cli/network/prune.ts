import { dataDirectory } from "../../engine/data-directory.ts";
import { removeNetwork } from "../../engine/network/remove-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { currentEndpoints, listNetworks } from "../../engine/state/networks.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { type Filters, filterOption } from "../filters/filter-option.ts";
import { untilFilter } from "../filters/filter-value.ts";
import { fitsLabels } from "../filters/label-filter.ts";
import { flag } from "../option.ts";

/** `bunker network prune`. */
export const prune = defineCommand(
  {
    options: {
      filters: filterOption(["label", "label!", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { filters, force } }) => {
    if (!force) {
      const warning = "WARNING! This will remove all custom networks not used by at least one container.";
      await confirm(warning, "network prune");
    }
    const names = pruneNetworks(filters);
    if (names.length > 0) console.log(["Deleted Networks:", ...names, ""].join("\n"));
    return 0;
  },
);

/**
 * Removes networks that no container is on.
 * @returns their names
 */
export function pruneNetworks(filters: Filters<"label" | "label!" | "until">): readonly string[] {
  const data = dataDirectory();
  using database = openContainers(data);
  const now = Date.now();
  const until = filters("until").map((text) => untilFilter(text, now));
  const names: string[] = [];
  for (const network of listNetworks(database)) {
    const { id, name, created, labels } = network;
    const fits = until.every((time) => created < time) && fitsLabels(labels, filters);
    if (!fits || database.transaction(() => currentEndpoints(database, data, id)).length > 0) continue;
    try {
      removeNetwork(database, data, network);
    } catch (error) {
      // A container has just begun to use it.
      if (error instanceof BunkerError && error.code === "network_in_use") continue;
      throw error;
    }
    names.push(name);
  }
  return names;
}
