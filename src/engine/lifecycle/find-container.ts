/*
 * Which containers there are, and what has become of them.
 *
 * A row of the state database says what was recorded last. Whoever starts, supervises or removes a container holds the
 * lock of its directory meanwhile (container-directory.ts), and the kernel gives a lock back when its holder dies. So a
 * row that says `running`, `restarting` or `removing` while nobody holds the lock was left by somebody killed, or by a
 * reboot. The supervisor's death was the end of the container's processes too, and how they ended nobody knows; Docker
 * says 255 then. One that is to be gone by now, because it was being removed or has `--rm`, is gone.
 *
 * Whoever finds such rows has them set right first, all at once by one process (settle-container.ts): the code for that is
 * more than what a list needs, and hardly any list has a use for it. Where nothing can be written, the rows remain as they
 * are, and what is told of them is true all the same.
 */
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { internalCommand } from "../internal-command.ts";
import { isHeld } from "../state/container-directory.ts";
import { type Container, recordedContainer, recordedContainers, recordedContainersFrom } from "../state/containers.ts";
import { isAbandoned, isClaimed } from "./abandoned.ts";

/** The exit status of a container whose end nobody saw. */
const UNKNOWN_STATUS = 255;
const LOST = "the supervisor was killed; how the container ended is unknown";

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
  const name = reference.startsWith("/") ? reference.slice(1) : reference;
  const found = lookUpContainer(database, data, name);
  if (found !== undefined) return found;
  const isBeginning = /^[0-9a-f]{1,64}$/.test(name);
  const [only, another] = isBeginning ? recordedContainersFrom(database, name) : [];
  const isAmbiguous = another !== undefined;
  const unique = only === undefined || isAmbiguous ? undefined : lookUpContainer(database, data, only.id);
  if (unique !== undefined) return unique;
  throw new BunkerError({
    code: isAmbiguous ? "ambiguous_container" : "no_such_container",
    operation: isAmbiguous ? "several containers have ids that begin with" : "No such container:",
    object: reference,
    exitStatus: 1,
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

/** Whether an abandoned container is to be removed. */
export function isToBeGone({ status, definition }: Container): boolean {
  return status === "removing" || definition.remove;
}

/** What an abandoned container has come to. */
export function lostContainer(container: Container): Container {
  return {
    ...container,
    status: "exited",
    pid: undefined,
    finished: Date.now(),
    exitStatus: UNKNOWN_STATUS,
    error: container.error || LOST,
  };
}

function settle(database: StateDatabase, data: string, ids: readonly string[]): void {
  if (database.isReadOnly) return;
  Bun.spawnSync({ ...internalCommand(["settle", data, ...ids]), stdio: ["ignore", "ignore", "ignore"] });
}

/** What is to be said of a container that was abandoned: it could not be set right, or somebody is still removing it. */
function asLeft(data: string, left: Container): Container {
  if (!isClaimed(left)) return left;
  if (isToBeGone(left)) return { ...left, status: "removing" };
  return isHeld(data, left.id) ? left : lostContainer(left);
}
