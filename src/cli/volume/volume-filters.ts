import type { Volume } from "../../engine/state/volumes.ts";
import type { Filters } from "../filters/filter-option.ts";
import { choiceFilter, nameFilter, truthFilter, untilFilter } from "../filters/filter-value.ts";
import { fitsLabels, hasLabels } from "../filters/label-filter.ts";

/** What lists of volumes can be filtered by. */
export const VOLUME_FILTERS = [
  "dangling",
  "driver",
  "label",
  "label!",
  "name",
  "opt",
  "scope",
  "since",
  "until",
] as const;

/** What filters have to know besides a volume; times in milliseconds since 1970. */
interface FilterContext {
  /** Whether containers use it. */
  readonly isUsed: (volume: Volume) => boolean;
  /** When the volume of a name was made, of which `since` speaks. */
  readonly createdOf: (name: string) => number;
  readonly now: number;
}

/**
 * Makes the test of `--filter`.
 * @throws BunkerError `invalid_filter`, and what `createdOf` does
 */
export function volumeFilter(
  filters: Filters<(typeof VOLUME_FILTERS)[number]>,
  { isUsed, createdOf, now }: FilterContext,
): (volume: Volume) => boolean {
  const dangling = filters("dangling").map((text) => truthFilter("dangling", text));
  const names = filters("name").map(nameFilter);
  const drivers = filters("driver");
  const scopes = choiceFilter("scope", filters("scope"), ["global", "local"]);
  const since = filters("since").map(createdOf);
  const until = filters("until").map((text) => untilFilter(text, now));
  return (volume) =>
    (dangling.length === 0 || dangling.includes(!isUsed(volume))) &&
    (drivers.length === 0 || drivers.includes("local")) &&
    (scopes.length === 0 || scopes.includes("local")) &&
    fitsLabels(volume.labels, filters) &&
    hasLabels(volume.options, filters("opt")) &&
    since.every((time) => volume.created > time) &&
    until.every((time) => volume.created < time) &&
    (names.length === 0 || names.some((pattern) => pattern.test(volume.name)));
}
