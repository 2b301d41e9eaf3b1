import { rmSync } from "node:fs";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordNetworkEvent } from "../events/journal.ts";
import { lookUpContainer } from "../lifecycle/find-container.ts";
import { removeContainer } from "../lifecycle/remove-container.ts";
import { stopContainer } from "../lifecycle/stop-container.ts";
import { activeEndpoints, currentEndpoints, deleteNetwork, type Network } from "../state/networks.ts";
import { findNetwork } from "./find-network.ts";
import { networkDirectory } from "./network-directory.ts";

/**
 * Removes a network that no container uses. Those that are on it and do not run will miss it when they start.
 * @throws BunkerError `network_in_use`; `no_such_network` when somebody else has removed it meanwhile
 */
export function removeNetwork(database: StateDatabase, data: string, network: Network): void {
  const { id, name } = network;
  const endpoints = database.transaction(
    () => {
      findNetwork(database, id);
      // What killed commands have left is no place.
      currentEndpoints(database, data, id);
      const found = activeEndpoints(database, data, id);
      if (found.length === 0) deleteNetwork(database, id);
      return found;
    },
    { durable: true },
  );
  if (endpoints.length > 0) {
    const names = endpoints.map(
      ({ container }) => lookUpContainer(database, data, container)?.name ?? container.slice(0, 12),
    );
    throw new BunkerError({
      code: "network_in_use",
      operation: `error while removing network: network ${name} has active endpoints`,
      object: `(${names.join(", ")})`,
      hint: "Stop the containers first, or disconnect them; --force removes them with the network.",
      exitStatus: 1,
    });
  }
  rmSync(networkDirectory(data, id), { recursive: true, force: true });
  recordNetworkEvent(data, "destroy", network);
}

/**
 * Removes all containers that are on a network, with their volumes without a name; those that run are stopped first.
 * @param timeout seconds that a container has to end; its own without it
 * @throws BunkerError what keeps a container from being stopped or removed
 */
export function removeContainersOn(
  database: StateDatabase,
  data: string,
  network: Network,
  { timeout }: { readonly timeout: number | undefined },
): void {
  for (const endpoint of database.transaction(() => currentEndpoints(database, data, network.id))) {
    const container = lookUpContainer(database, data, endpoint.container);
    if (container === undefined) continue;
    stopContainer(database, data, container, { timeout });
    removeContainer(database, data, container, { force: true, volumes: true });
  }
}
