import type { Volume } from "../../engine/state/volumes.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Filters } from "../filters/filter-option.ts";
import { hasLabels } from "../filters/label-filter.ts";
import { parseBoolean } from "../option.ts";

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
  const dangling = filters("dangling").map(danglingValue);
  const names = filters("name").map(expression);
  const drivers = filters("driver");
  return (volume) =>
    (dangling.length === 0 || dangling.includes(!isUsed(volume))) &&
    (drivers.length === 0 || drivers.includes("local")) &&
    hasLabels(volume.labels, filters("label")) &&
    filters("label!").every((label) => !hasLabels(volume.labels, [label])) &&
    (names.length === 0 || names.some((pattern) => pattern.test(volume.name)));
}

function danglingValue(text: string): boolean {
  try {
    return parseBoolean(text);
  } catch {
    throw invalid(`dangling=${text}`, "expected true or false");
  }
}

function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch {
    throw invalid(`name=${pattern}`, "expected a regular expression");
  }
}

function invalid(filter: string, reason: string): BunkerError {
  return new BunkerError({ code: "invalid_filter", operation: "filter by", object: filter, reason, exitStatus: 1 });
}
