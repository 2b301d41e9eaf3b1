import { namespaceMode } from "../namespaces/namespace-mode.ts";
import type { RunOptions } from "../specification/run-options.ts";

/**
 * How a container's network is called where Docker shows its mode: `bridge`, `none`, `host`, `container:ID`, `ns:PATH`, or
 * the name of the first network that it is on.
 */
export function networkMode({ network, networkSettings: { joined, shared } }: RunOptions): string {
  if (network === "shared") return shared[0]?.network ?? "";
  if (network === "slirp") return "bridge";
  return network === "joined" && joined !== undefined ? namespaceMode(joined) : network;
}
