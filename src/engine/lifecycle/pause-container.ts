import { setFrozen } from "../../cgroup/freezer.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { type Container, recordPaused } from "../state/containers.ts";
import { notRunning } from "./not-running.ts";

/**
 * Freezes all processes of a container where they are.
 * @throws BunkerError `container_not_running`, `no_freezer`, `not_frozen`
 */
export function pauseContainer(database: StateDatabase, data: string, container: Container): void {
  if (container.status !== "running") throw notRunning("pause container", container);
  setFrozen(groupOf("pause container", container), true);
  recordPaused(database, container.id, true);
  recordContainerEvent(data, "pause", container);
}

/**
 * Lets a paused container go on.
 * @throws BunkerError `container_not_paused`, `not_frozen`
 */
export function unpauseContainer(database: StateDatabase, data: string, container: Container): void {
  if (container.status !== "paused") {
    throw new BunkerError({
      code: "container_not_paused",
      operation: "unpause container",
      object: container.name,
      reason: `it is not paused, it is ${container.status}`,
      exitStatus: 1,
    });
  }
  setFrozen(groupOf("unpause container", container), false);
  recordPaused(database, container.id, false);
  recordContainerEvent(data, "unpause", container);
}

/** @throws BunkerError `no_freezer` */
function groupOf(operation: string, { name, cgroup }: Container): string {
  if (cgroup !== undefined) return cgroup;
  throw new BunkerError({
    code: "no_freezer",
    operation,
    object: name,
    reason: "only the freezer of a cgroup can do that, and this container has none of its own",
    hint: "bunker doctor says what a user needs for containers to have one",
    exitStatus: 1,
  });
}
