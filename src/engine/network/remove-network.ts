import { rmSync } from "node:fs";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordNetworkEvent } from "../events/journal.ts";
import { findContainer } from "../state/containers.ts";
import { currentEndpoints, deleteNetwork, type Endpoint, type Network } from "../state/networks.ts";
import { networkDirectory } from "./network-directory.ts";

/**
 * Removes a network that no container is on.
 * @throws BunkerError `network_in_use`
 */
export function removeNetwork(database: StateDatabase, data: string, network: Network): void {
  const { id, name } = network;
  const endpoints = database.transaction(
    () => {
      const found = currentEndpoints(database, data, id);
      if (found.length === 0) deleteNetwork(database, id);
      return found;
    },
    { durable: true },
  );
  if (endpoints.length > 0) {
    throw new BunkerError({
      code: "network_in_use",
      operation: `error while removing network: network ${name} has active endpoints`,
      object: `(${endpoints.map((endpoint) => nameOf(database, data, endpoint)).join(", ")})`,
      hint: "Remove the containers first, or disconnect them.",
      exitStatus: 1,
    });
  }
  rmSync(networkDirectory(data, id), { recursive: true, force: true });
  recordNetworkEvent(data, "destroy", network);
}

function nameOf(database: StateDatabase, data: string, { container }: Endpoint): string {
  try {
    return findContainer(database, data, container).name;
  } catch (error) {
    // It is just being made, or has just been removed.
    if (error instanceof BunkerError) return container.slice(0, 12);
    throw error;
  }
}
