import type { Container } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Filters } from "../filters/filter-option.ts";
import { hasLabels } from "../filters/label-filter.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { InvalidValue } from "../invalid-value.ts";

/** What lists of containers can be filtered by. */
export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "exited",
  "health",
  "id",
  "label",
  "name",
  "network",
  "since",
  "status",
  "volume",
] as const;

const STATUSES = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/**
 * Makes the test of `--filter`.
 * @param find a container that `before` and `since` name
 * @throws BunkerError `invalid_filter`, and what `find` throws
 */
export function containerFilter(
  filters: Filters<(typeof CONTAINER_FILTERS)[number]>,
  find: (reference: string) => Container,
): (container: Container) => boolean {
  for (const status of filters("status")) {
    if (!STATUSES.includes(status)) throw invalid(`status=${status}`, `expected one of ${STATUSES.join(", ")}`);
  }
  for (const number of filters("exited")) {
    if (!/^-?\d+$/.test(number)) throw invalid(`exited=${number}`, "expected an exit status");
  }
  const before = filters("before").map((reference) => find(reference).created);
  const since = filters("since").map((reference) => find(reference).created);
  const names = filters("name").map((pattern) => expression(pattern));
  const any = (values: readonly string[], fits: (value: string) => boolean) => values.length === 0 || values.some(fits);
  return (container) => {
    const { id, name, created, definition, status, exitStatus, health } = container;
    return (
      any(filters("ancestor"), (image) => isMadeFrom(definition, image)) &&
      before.every((time) => created < time) &&
      since.every((time) => created > time) &&
      any(filters("exited"), (wanted) => status === "exited" && exitStatus === Number(wanted)) &&
      any(filters("health"), (wanted) => (health?.status ?? "none") === wanted) &&
      any(filters("id"), (wanted) => id.startsWith(wanted)) &&
      hasLabels(definition.labels, filters("label")) &&
      (names.length === 0 || names.some((pattern) => pattern.test(name))) &&
      any(filters("network"), (wanted) => definition.network === wanted) &&
      any(filters("status"), (wanted) => status === wanted) &&
      any(filters("volume"), (wanted) =>
        definition.mountPoints.some(({ name, destination }) => name === wanted || destination === wanted),
      )
    );
  };
}

/** The test of what `prune` may remove. */
export function pruneFilter(
  filters: Filters<"label" | "label!" | "until">,
  now: number,
): (container: Container) => boolean {
  const until = filters("until").map((text) => pointInTime(text, now));
  return ({ created, definition }) =>
    until.every((time) => created < time) &&
    hasLabels(definition.labels, filters("label")) &&
    filters("label!").every((label) => !hasLabels(definition.labels, [label]));
}

function pointInTime(text: string, now: number): number {
  try {
    return parsePointInTime(text, now);
  } catch (error) {
    if (error instanceof InvalidValue) throw invalid(`until=${text}`, error.message);
    throw error;
  }
}

function isMadeFrom({ image, imageId }: Container["definition"], wanted: string): boolean {
  const id = imageId.slice(imageId.indexOf(":") + 1);
  return (
    image === wanted ||
    image === `${wanted}:latest` ||
    imageId === wanted ||
    (wanted.length >= 4 && id.startsWith(wanted))
  );
}

function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern.replace(/^\^?\//, (slash) => slash.slice(0, -1)));
  } catch {
    throw invalid(`name=${pattern}`, "expected a regular expression");
  }
}

function invalid(filter: string, reason: string): BunkerError {
  return new BunkerError({ code: "invalid_filter", operation: "filter by", object: filter, reason, exitStatus: 1 });
}
