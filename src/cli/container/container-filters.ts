import { findContainer } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Filters } from "../filters/filter-option.ts";
import { invalidFilter, nameFilter, untilFilter } from "../filters/filter-value.ts";
import { hasLabels } from "../filters/label-filter.ts";
import type { ContainerFilterKey } from "./container-filter-keys.ts";
import { networksOf } from "./container-networks.ts";
import { type ContainerPort, exposedPorts } from "./port-text.ts";

const STATUSES = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/**
 * Makes the test of `--filter`.
 * @throws BunkerError `invalid_filter`, and `no_such_container` for one that `before` or `since` names
 */
export function containerFilter(
  database: StateDatabase,
  data: string,
  filters: Filters<ContainerFilterKey>,
): (container: Container) => boolean {
  for (const status of filters("status")) {
    if (!STATUSES.includes(status)) throw invalidFilter(`status=${status}`, `expected one of ${STATUSES.join(", ")}`);
  }
  for (const number of filters("exited")) {
    if (!/^-?\d+$/.test(number)) throw invalidFilter(`exited=${number}`, "expected an exit status");
  }
  const tests: ((container: Container) => boolean)[] = [];
  const any = (key: ContainerFilterKey, fits: (container: Container, value: string) => boolean) => {
    const values = filters(key);
    if (values.length > 0) tests.push((container) => values.some((value) => fits(container, value)));
  };
  const createdOf = (reference: string) => findContainer(database, data, reference).created;
  any("ancestor", ({ definition }, wanted) => isMadeFrom(definition, wanted));
  for (const limit of filters("before").map(createdOf)) tests.push(({ created }) => created < limit);
  for (const limit of filters("since").map(createdOf)) tests.push(({ created }) => created > limit);
  for (const text of filters("until")) {
    const limit = untilFilter(text, Date.now());
    tests.push(({ created }) => created < limit);
  }
  any("exited", ({ status, exitStatus }, wanted) => status === "exited" && exitStatus === Number(wanted));
  const exposed = filters("expose").map((text) => portsOf("expose", text));
  if (exposed.length > 0) {
    tests.push((container) => servedPorts(container).some((port) => exposed.some((fits) => fits(port))));
  }
  any("health", ({ health }, wanted) => (health?.status ?? "none") === wanted);
  any("id", ({ id }, wanted) => id.startsWith(wanted));
  const labels = filters("label");
  if (labels.length > 0) tests.push(({ definition }) => hasLabels(definition.labels, labels));
  const names = filters("name").map(expression);
  if (names.length > 0) tests.push(({ name }) => names.some((pattern) => pattern.test(name)));
  any("network", (container, wanted) => {
    const { names, ids } = networksOf(database, container);
    return names.includes(wanted) || ids.includes(wanted);
  });
  const published = filters("publish").map((text) => portsOf("publish", text));
  if (published.length > 0) {
    tests.push(({ ports }) =>
      ports.some(({ protocol, host }) => published.some((fits) => fits({ protocol, port: host.port }))),
    );
  }
  any("status", ({ status }, wanted) => status === wanted);
  any("volume", ({ definition }, wanted) =>
    definition.mountPoints.some(({ name, destination }) => name === wanted || destination === wanted),
  );
  return (container) => tests.every((fits) => fits(container));
}

/** The test of `expose` and `publish`: a port, or a range, with a protocol that is tcp unless it is named. */
function portsOf(filter: string, text: string): (port: ContainerPort) => boolean {
  const [, first, last = first, named = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(text) ?? [];
  if (first === undefined) throw invalidFilter(`${filter}=${text}`, "expected PORT[-PORT][/PROTOCOL]");
  return ({ protocol, port }) => protocol === named && port >= Number(first) && port <= Number(last);
}

/** The ports that a container, or its image, says it serves, and those that are published. */
function servedPorts(container: Container): readonly ContainerPort[] {
  const published = container.ports.map(({ protocol, target }) => ({ protocol, port: target.port }));
  return [...exposedPorts(container), ...published];
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
