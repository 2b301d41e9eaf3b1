import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { exists } from "../../sys/named-file.ts";
import type { KeepOpen } from "../../sys/remove-tree.ts";
import { Signal } from "../../sys/signal.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { removeUsersTree } from "../ownership.ts";
import { isHeld, isHeldForLonger, lockContainer, sweep } from "../state/container-directory.ts";
import { containerDirectory } from "../state/container-lock.ts";
import {
  type Container,
  deleteContainer,
  deleteIdleContainer,
  isKnown,
  knownIds,
  recordStatus,
} from "../state/containers.ts";
import { deleteEndpoints } from "../state/networks.ts";
import { connectToSupervisor, tell } from "../supervisor/connect.ts";
import { releaseVolumes } from "../volumes/remove-volume.ts";
import { foundAgain, lookUpContainer } from "./find-container.ts";
import { beginPatience, isHeldForAMoment } from "./held-for-a-moment.ts";
import { waitForUnhinderedEnd } from "./held-up-end.ts";

/**
 * Removes what lies on disk, and then the row. To be called by who holds the container's lock.
 * @param removesVolumes whether volumes without a name go with it, as they do with those of `--rm`
 * @param keepOpen takes its directories
 */
export function removeFiles(
  database: StateDatabase,
  data: string,
  container: Pick<Container, "id" | "name" | "definition">,
  removesVolumes: boolean,
  keepOpen?: KeepOpen,
): void {
  removeUsersTree(data, containerDirectory(data, container.id), keepOpen);
  deleteContainer(database, container.id);
  deleteEndpoints(database, container.id);
  recordContainerEvent(data, "destroy", container);
  if (container.definition.mountPoints.some(({ type }) => type === "volume")) {
    releaseVolumes(database, data, container.id, removesVolumes);
  }
}

/**
 * Removes a container.
 * @param options with `force`, it is killed first if it runs; with `volumes`, its volumes without a name go with it
 * @throws BunkerError `container_running`, `container_busy`, `no_such_container`
 */
export function removeContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  { force, volumes }: { readonly force: boolean; readonly volumes: boolean },
): void {
  const { id } = container;
  let isKilled = false;
  const isPatient = beginPatience();
  for (;;) {
    using lock = lockContainer(data, id);
    if (lock !== undefined) {
      recordStatus(database, id, "removing");
      removeFiles(database, data, container, volumes);
      return;
    }
    // By another, whose work may be done.
    const now = force ? lookUpContainer(database, data, id) : foundAgain(database, data, container);
    if (now === undefined) return;
    if (now.status === "removing") {
      // By somebody who is at it, or was killed and has not given the lock back yet.
      if (force) {
        Bun.sleepSync(2);
        continue;
      }
      throw busy(now, `removal of container ${now.name} is already in progress`);
    }
    if (!force) {
      const isIdle = now.status === "created" || now.status === "exited";
      if (isIdle && !hasDirectory(data, id)) {
        if (deleteIdleContainer(database, id)) return;
        continue;
      }
      const isCopied = !isHeldForLonger(data, id) && isHeld(data, id);
      if (!isCopied && isHeldForAMoment(now) && isPatient()) continue;
      if (isIdle) throw busy(now, "another command is working on it");
      throw new BunkerError({
        code: "container_running",
        operation: "remove container",
        object: now.name,
        reason: `it is ${now.status}`,
        hint: "Stop it first, or remove it with --force.",
        exitStatus: 1,
      });
    }
    using socket = connectToSupervisor(data, id);
    if (socket === undefined) {
      if (!hasDirectory(data, id)) {
        deleteContainer(database, id);
        return;
      }
      // A command that has it for a moment: it starts it, or has just seen its end.
      Bun.sleepSync(2);
      continue;
    }
    // Before its end goes on record.
    if (!isKilled) recordContainerEvent(data, "kill", container, { signal: String(Signal.SIGKILL) });
    isKilled = true;
    tell(socket, { kind: "signal", signal: Signal.SIGKILL, isStop: true });
    waitForUnhinderedEnd(socket, now.pid);
    // Of `--rm`: the supervisor removes it, or its command.
    if (container.definition.remove) {
      while (isKnown(database, id) && connectToSupervisor(data, id) !== undefined) Bun.sleepSync(2);
      if (!isKnown(database, id)) return;
    }
  }
}

/** Whether anything of a container lies on the disk. */
export function hasDirectory(data: string, id: string): boolean {
  return exists(containerDirectory(data, id));
}

function busy(container: Container, reason: string): BunkerError {
  return new BunkerError({
    code: "container_busy",
    operation: "remove container",
    object: container.name,
    reason,
    exitStatus: 1,
  });
}

/** Removes what killed commands have left: directories without a row. */
export function cleanUp(database: StateDatabase, data: string): void {
  sweep(
    data,
    () => knownIds(database),
    (path) => removeUsersTree(data, path),
  );
}
