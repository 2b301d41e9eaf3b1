import { type PredefinedNetwork, predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import type { Network } from "../../engine/state/networks.ts";
import type { Filters } from "../filters/filter-option.ts";
import { nameFilter, truthFilter, untilFilter } from "../filters/filter-value.ts";
import { invalidFilter } from "../filters/invalid-filter.ts";
import { fitsLabels } from "../filters/label-filter.ts";
import { driverOf } from "./inspection.ts";

/** What lists of networks can be filtered by. */
export const NETWORK_FILTERS = [
  "dangling",
  "driver",
  "id",
  "label",
  "label!",
  "name",
  "scope",
  "type",
  "until",
] as const;

/**
 * Makes the test of `--filter`.
 * @param isUsed whether containers are on a network
 * @param now milliseconds since 1970
 * @throws BunkerError `invalid_filter`
 */
export function networkFilter(
  filters: Filters<(typeof NETWORK_FILTERS)[number]>,
  isUsed: (network: Network) => boolean,
  now: number,
): (network: Network | PredefinedNetwork) => boolean {
  const dangling = filters("dangling").map((text) => truthFilter("dangling", text));
  const names = filters("name").map(nameFilter);
  const until = filters("until").map((text) => untilFilter(text, now));
  for (const type of filters("type")) {
    if (type !== "builtin" && type !== "custom") throw invalidFilter(`type=${type}`, "expected builtin or custom");
  }
  const any = (values: readonly string[], fits: (value: string) => boolean) => values.length === 0 || values.some(fits);
  return (network) => {
    const isBuiltin = predefinedNetwork(network.name) !== undefined;
    return (
      (dangling.length === 0 || dangling.includes(!isBuiltin && !isUsed(network))) &&
      any(filters("driver"), (wanted) => driverOf(network) === wanted) &&
      any(filters("id"), (wanted) => network.id.startsWith(wanted)) &&
      any(filters("scope"), (wanted) => wanted === "local") &&
      any(filters("type"), (wanted) => isBuiltin === (wanted === "builtin")) &&
      until.every((time) => network.created < time) &&
      fitsLabels(network.labels, filters) &&
      (names.length === 0 || names.some((pattern) => pattern.test(network.name)))
    );
  };
}
