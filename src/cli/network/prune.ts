import { dataDirectory } from "../../engine/data-directory.ts";
import { recordPruneEvent } from "../../engine/events/journal.ts";
import { removeNetwork } from "../../engine/network/remove-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { activeEndpoints, listNetworks, type Network } from "../../engine/state/networks.ts";
import { BunkerError } from "../../sys/error.ts";
import { definePrune } from "../define-prune.ts";
import { print } from "../print.ts";

/** `bunker network prune`. */
export const prune = definePrune("network prune", "all custom networks not used by at least one container", (fits) => {
  const names = pruneNetworks(fits);
  if (names.length > 0) print(["Deleted Networks:", ...names, ""].join("\n"));
});

/**
 * Removes networks that no container uses.
 * @returns their names
 */
export function pruneNetworks(fits: (network: Network) => boolean): readonly string[] {
  const data = dataDirectory();
  using database = openContainers(data);
  const names: string[] = [];
  for (const network of listNetworks(database)) {
    if (!fits(network) || activeEndpoints(database, data, network.id).length > 0) continue;
    try {
      removeNetwork(database, data, network);
    } catch (error) {
      // A container has just begun to use it, or somebody has removed it.
      if (error instanceof BunkerError && ["network_in_use", "no_such_network"].includes(error.code)) continue;
      throw error;
    }
    names.push(network.name);
  }
  recordPruneEvent(data, "network", 0);
  return names;
}
