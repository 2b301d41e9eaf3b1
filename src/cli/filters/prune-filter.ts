import { type Filters, filterOption } from "./filter-option.ts";
import { untilFilter } from "./filter-value.ts";
import { fitsLabels } from "./label-filter.ts";

const KEYS = ["label", "label!", "until"] as const;

/** What a thing that `prune` may remove is chosen by. */
interface Prunable {
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** `--filter` of the `prune` commands of what has labels and an age. */
export const pruneFilterOption = filterOption(KEYS);

/**
 * The test of what `prune` may remove.
 * @throws BunkerError `invalid_filter`
 */
export function pruneFilter(filters: Filters<(typeof KEYS)[number]>, now: number): (thing: Prunable) => boolean {
  const until = filters("until").map((text) => untilFilter(text, now));
  return ({ created, labels }) => until.every((time) => created < time) && fitsLabels(labels, filters);
}
