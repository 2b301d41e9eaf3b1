import type { Volume } from "../../engine/state/volumes.ts";
import type { Filters } from "../filters/filter-option.ts";
import { nameFilter, truthFilter } from "../filters/filter-value.ts";
import { fitsLabels } from "../filters/label-filter.ts";

/** What lists of volumes can be filtered by. */
export const VOLUME_FILTERS = ["dangling", "driver", "label", "label!", "name"] as const;

/**
 * Makes the test of `--filter`.
 * @param isUsed whether containers use a volume
 * @throws BunkerError `invalid_filter`
 */
export function volumeFilter(
  filters: Filters<(typeof VOLUME_FILTERS)[number]>,
  isUsed: (volume: Volume) => boolean,
): (volume: Volume) => boolean {
  const dangling = filters("dangling").map((text) => truthFilter("dangling", text));
  const names = filters("name").map(nameFilter);
  const drivers = filters("driver");
  return (volume) =>
    (dangling.length === 0 || dangling.includes(!isUsed(volume))) &&
    (drivers.length === 0 || drivers.includes("local")) &&
    fitsLabels(volume.labels, filters) &&
    (names.length === 0 || names.some((pattern) => pattern.test(volume.name)));
}
