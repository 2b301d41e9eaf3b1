import type { Network } from "../state/networks.ts";

/** A network that is always there, under the name that Docker gives it. */
export type PredefinedNetwork = Network & { readonly driver: "bridge" | "host" | "null" };

/** The beginning of time, when they were made. */
const CREATED = 0;

function predefined(
  name: string,
  driver: PredefinedNetwork["driver"],
  digit: string,
  subnets: Network["subnets"],
): PredefinedNetwork {
  const id = digit.repeat(64);
  const rest = {
    isInternal: false,
    hasDns: true,
    resolvers: [],
    routes: [],
    options: {},
    labels: {},
    isRemoved: false,
  };
  return { id, name, driver, created: CREATED, subnets, ...rest };
}

/**
 * The networks that are there without being made. `bridge` stands for what `--network slirp` gives: each container has
 * it for itself.
 */
export const PREDEFINED_NETWORKS: readonly PredefinedNetwork[] = [
  predefined("bridge", "bridge", "b", [{ subnet: "10.0.2.0/24", gateway: "10.0.2.2", reserved: {} }]),
  predefined("host", "host", "0", []),
  predefined("none", "null", "e", []),
];

/** The predefined network of a name. */
export function predefinedNetwork(name: string): PredefinedNetwork | undefined {
  return PREDEFINED_NETWORKS.find((network) => network.name === name);
}
