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
  const tests: ((container: Container) => boolean)[] = [];
  const any = (key: (typeof CONTAINER_FILTERS)[number], fits: (container: Container, value: string) => boolean) => {
    const values = filters(key);
    if (values.length > 0) tests.push((container) => values.some((value) => fits(container, value)));
  };
  any("ancestor", ({ definition }, wanted) => isMadeFrom(definition, wanted));
  for (const { created: limit } of filters("before").map(find)) tests.push(({ created }) => created < limit);
  for (const { created: limit } of filters("since").map(find)) tests.push(({ created }) => created > limit);
  any("exited", ({ status, exitStatus }, wanted) => status === "exited" && exitStatus === Number(wanted));
  any("health", ({ health }, wanted) => (health?.status ?? "none") === wanted);
  any("id", ({ id }, wanted) => id.startsWith(wanted));
  const labels = filters("label");
  if (labels.length > 0) tests.push(({ definition }) => hasLabels(definition.labels, labels));
  const names = filters("name").map(expression);
  if (names.length > 0) tests.push(({ name }) => names.some((pattern) => pattern.test(name)));
  any("network", (container, wanted) => networksOf(container).includes(wanted));
  any("status", ({ status }, wanted) => status === wanted);
  any("volume", ({ definition }, wanted) =>
    definition.mountPoints.some(({ name, destination }) => name === wanted || destination === wanted),
  );
  return (container) => tests.every((fits) => fits(container));
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
