/* How commands come by containers. What they get is true: a row that is not is set right first; settle.ts. */
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { type Container, recordedContainer, recordedContainers, recordedContainersFrom } from "../state/containers.ts";
import { isAbandoned } from "./abandoned.ts";
import { asLeft, settle } from "./settle.ts";

/** All containers, the newest first. */
export function listContainers(database: StateDatabase, data: string): Container[] {
  const containers = recordedContainers(database);
  const abandoned = containers.filter((container) => isAbandoned(data, container));
  if (abandoned.length === 0) return containers;
  const ids = abandoned.map(({ id }) => id);
  settle(database, data, ids);
  return recordedContainers(database).map((left) => (ids.includes(left.id) ? asLeft(data, left) : left));
}

/**
 * The container that was created last.
 * @throws BunkerError `no_such_container` if there is none
 */
export function latestContainer(database: StateDatabase, data: string): Container {
  const [latest] = listContainers(database, data);
  if (latest !== undefined) return latest;
  throw new BunkerError({ code: "no_such_container", operation: "there is no container", exitStatus: 1 });
}

/**
 * Finds the container that a user means.
 * @param reference a name, an id, or the beginning of an id
 * @throws BunkerError `no_such_container`, `ambiguous_container`
 */
export function findContainer(database: StateDatabase, data: string, reference: string): Container {
  return found(database, data, reference, 1);
}

/**
 * The same for the container that another one's options name. Without it that one cannot be had, which for `run` is status
 * 125, as with Docker.
 */
export function findOptionsContainer(database: StateDatabase, data: string, reference: string): Container {
  return found(database, data, reference, 125);
}

function found(database: StateDatabase, data: string, reference: string, exitStatus: number): Container {
  const name = reference.startsWith("/") ? reference.slice(1) : reference;
  const whole = lookUpContainer(database, data, name);
  if (whole !== undefined) return whole;
  const isBeginning = /^[0-9a-f]{1,64}$/.test(name);
  const [only, another] = isBeginning ? recordedContainersFrom(database, name) : [];
  const isAmbiguous = another !== undefined;
  const unique = only === undefined || isAmbiguous ? undefined : lookUpContainer(database, data, only.id);
  if (unique !== undefined) return unique;
  throw new BunkerError({
    code: isAmbiguous ? "ambiguous_container" : "no_such_container",
    operation: isAmbiguous ? "several containers have ids that begin with" : "No such container:",
    object: reference,
    exitStatus,
  });
}

/**
 * What a container that was found before is now.
 * @throws BunkerError `no_such_container`, by the name that it had, when it has been removed since
 */
export function foundAgain(
  database: StateDatabase,
  data: string,
  { id, name }: Pick<Container, "id" | "name">,
): Container {
  const now = lookUpContainer(database, data, id);
  if (now !== undefined) return now;
  throw new BunkerError({
    code: "no_such_container",
    operation: "No such container:",
    object: name,
    exitStatus: 1,
  });
}

/** Finds a container by its id or name; undefined when it is only just being made, or has just been removed. */
export function lookUpContainer(database: StateDatabase, data: string, reference: string): Container | undefined {
  const container = recordedContainer(database, reference);
  if (container === undefined || !isAbandoned(data, container)) return container;
  settle(database, data, [container.id]);
  const left = recordedContainer(database, container.id);
  return left === undefined ? undefined : asLeft(data, left);
}
