import { nearestName } from "../../nearest-name.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { endpointsOfContainer, listNetworks, lookUpNetwork, type Network } from "../state/networks.ts";
import { PREDEFINED_NETWORKS, type PredefinedNetwork, predefinedNetwork } from "./predefined-networks.ts";

/** What `--network` takes besides the names of networks. */
const KINDS = ["slirp", "bridge", "none", "host", "container:", "ns:"];

/**
 * Finds the network that a user means.
 * @param reference a name, an id, or the beginning of an id
 * @param exitStatus of the command when there is none
 * @throws BunkerError `no_such_network`, `ambiguous_network`, `predefined_network`
 */
export function findNetwork(database: StateDatabase, reference: string, exitStatus = 1): Network {
  const network = lookUpNetwork(database, reference);
  if (network !== undefined) return network;
  if (predefinedNetwork(reference) !== undefined) {
    throw new BunkerError({
      code: "predefined_network",
      operation: "network",
      object: reference,
      reason: "it is no network that containers share, and so none is put on it or taken off",
      hint: "make one that they do: bunker network create NAME",
      exitStatus,
    });
  }
  const names = [...listNetworks(database).map(({ name }) => name), ...(exitStatus === 1 ? [] : KINDS)];
  const nearest = nearestName(reference, names);
  throw new BunkerError({
    code: "no_such_network",
    operation: "network",
    object: reference,
    reason: "not found",
    hint: nearest === undefined ? "bunker network ls shows those that are there" : `did you mean ${nearest}?`,
    exitStatus,
  });
}

/**
 * Finds a network that a container is to be taken off, also one that is no more.
 * @throws BunkerError `no_such_network`, `ambiguous_network`
 */
export function findNetworkOf(database: StateDatabase, container: string, reference: string): Network {
  const former = endpointsOfContainer(database, container).find(
    ({ network: { id, isRemoved, name } }) => isRemoved && (name === reference || id === reference),
  );
  return former?.network ?? findNetwork(database, reference);
}

/**
 * Finds a network, also one that is always there.
 * @throws BunkerError `no_such_network`, `ambiguous_network`
 */
export function findAnyNetwork(database: StateDatabase, reference: string): Network | PredefinedNetwork {
  const isPredefined = ({ id, name }: PredefinedNetwork) => name === reference || id === reference;
  return PREDEFINED_NETWORKS.find(isPredefined) ?? findNetwork(database, reference);
}
