import { findContainer } from "../../engine/lifecycle/find-container.ts";
import type { Container } from "../../engine/state/containers.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Filters } from "../filters/filter-option.ts";
import { choiceFilter, expressionFilter, nameFilter, truthFilter, untilFilter } from "../filters/filter-value.ts";
import { invalidFilter } from "../filters/invalid-filter.ts";
import { fitsLabels } from "../filters/label-filter.ts";
import type { ContainerFilterKey } from "./container-filter-keys.ts";
import { networksOf } from "./container-networks.ts";
import { type ContainerPort, exposedPorts } from "./port-text.ts";

const STATUSES = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const HEALTH_STATES = ["starting", "healthy", "unhealthy", "none"];
const RESTART_POLICIES = ["no", "always", "on-failure", "unless-stopped"];
/** What else users may call `bridge`, the network that a container has unless it is put on another. */
const NAMES_OF_BRIDGE = ["default", "private", "slirp", "slirp4netns"];

/**
 * Makes the test of `--filter`.
 * @throws BunkerError `invalid_filter`, and `no_such_container` for one that `before` or `since` names
 */
export async function containerFilter(
  database: StateDatabase,
  data: string,
  filters: Filters<ContainerFilterKey>,
): Promise<(container: Container) => boolean> {
  const choose = (key: ContainerFilterKey, choices: readonly string[]) => choiceFilter(key, filters(key), choices);
  const statuses = choose("status", STATUSES);
  for (const number of filters("exited")) {
    if (!/^-?\d+$/.test(number)) throw invalidFilter(`exited=${number}`, "expected an exit status");
  }
  const tests: ((container: Container) => boolean)[] = [];
  const any = (key: ContainerFilterKey, fits: (container: Container, value: string) => boolean) => {
    const values = filters(key);
    if (values.length > 0) tests.push((container) => values.some((value) => fits(container, value)));
  };
  const createdOf = (reference: string) => findContainer(database, data, reference).created;
  const ancestors = filters("ancestor");
  if (ancestors.length > 0) tests.push((await import("./container-images.ts")).ancestorFilter(data, ancestors));
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
  const health = choose("health", HEALTH_STATES);
  if (health.length > 0) tests.push((container) => health.includes(container.health?.status ?? "none"));
  any("id", ({ id }, wanted) => id.startsWith(wanted));
  // Of a Swarm's services, of which Bunker has none.
  for (const text of filters("is-task")) if (truthFilter("is-task", text)) tests.push(() => false);
  tests.push(({ definition }) => fitsLabels(definition.labels, filters));
  const names = filters("name").map(expression);
  if (names.length > 0) tests.push(({ name }) => names.some((pattern) => pattern.test(name)));
  const commands = filters("command").map((pattern) => expressionFilter("command", pattern));
  if (commands.length > 0) {
    tests.push(({ definition: { command } }) => commands.some((pattern) => pattern.test(command[0] ?? "")));
  }
  any("network", (container, wanted) => {
    const { names, ids } = networksOf(database, container);
    const isBridge = NAMES_OF_BRIDGE.includes(wanted) && names.includes("bridge");
    return isBridge || names.includes(wanted) || ids.some((id) => isBeginningOfId(wanted, id));
  });
  const published = filters("publish").map((text) => portsOf("publish", text));
  if (published.length > 0) {
    tests.push(({ ports }) =>
      ports.some(({ protocol, host }) => published.some((fits) => fits({ protocol, port: host.port }))),
    );
  }
  const policies = choose("restart-policy", RESTART_POLICIES);
  if (policies.length > 0) tests.push(({ definition }) => policies.includes(definition.restart.name));
  if (statuses.length > 0) tests.push(({ status }) => statuses.includes(status));
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

/** As lists show ids, or as much of one as cannot be taken for a name. */
function isBeginningOfId(text: string, id: string): boolean {
  return text.length >= 4 && id.startsWith(text);
}

function expression(pattern: string): RegExp {
  return nameFilter(pattern.replace(/^\^?\//, (slash) => slash.slice(0, -1)));
}
