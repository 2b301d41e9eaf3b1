import type { RunOptions } from "../specification/run-options.ts";

const CONTAINER = "container:";
const PATH = "ns:";

/**
 * How a container's network is called where Docker shows its mode: `slirp`, `none`, `host`, `container:ID`, `ns:PATH`, or
 * the name of the first network that it is on.
 */
export function networkMode({ network, networkSettings: { joined, shared } }: RunOptions): string {
  if (network === "shared") return shared[0]?.network ?? "";
  if (network !== "joined" || joined === undefined) return network;
  return joined.kind === "container" ? `${CONTAINER}${joined.container}` : `${PATH}${joined.path}`;
}

/** The id of the container whose network a container with this mode has. */
export function joinedContainer(mode: string): string | undefined {
  return mode.startsWith(CONTAINER) ? mode.slice(CONTAINER.length) : undefined;
}

/** The path of the network namespace that a container with this mode has. */
export function joinedPath(mode: string): string | undefined {
  return mode.startsWith(PATH) ? mode.slice(PATH.length) : undefined;
}
