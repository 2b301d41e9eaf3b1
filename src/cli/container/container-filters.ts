import type { Container } from "../../engine/state/containers.ts";
import type { Filters } from "../filters/filter-option.ts";
import { invalidFilter, nameFilter } from "../filters/filter-value.ts";
import { hasLabels } from "../filters/label-filter.ts";

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
 * @param networksOf the names and ids of the networks that a container is on
 * @throws BunkerError `invalid_filter`, and what `find` throws
 */
export function containerFilter(
  filters: Filters<(typeof CONTAINER_FILTERS)[number]>,
  find: (reference: string) => Container,
  networksOf: (container: Container) => readonly string[],
): (container: Container) => boolean {
  for (const status of filters("status")) {
    if (!STATUSES.includes(status)) throw invalidFilter(`status=${status}`, `expected one of ${STATUSES.join(", ")}`);
  }
  for (const number of filters("exited")) {
    if (!/^-?\d+$/.test(number)) throw invalidFilter(`exited=${number}`, "expected an exit status");
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
      any(filters("network"), (wanted) => networksOf(container).includes(wanted)) &&
      any(filters("status"), (wanted) => status === wanted) &&
      any(filters("volume"), (wanted) =>
        definition.mountPoints.some(({ name, destination }) => name === wanted || destination === wanted),
      )
    );
  };
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
  return nameFilter(pattern.replace(/^\^?\//, (slash) => slash.slice(0, -1)));
}
