/*
 * What is done about containers whose supervisor, or whoever removed them, was killed; settle.ts says how they are found.
 *
 * The look-up that found them waits for that, so it is what takes no time: what is left of their processes is killed,
 * their end goes on record, and what is to be gone is removed. Hooks of their devices are programs of others and may
 * take long. They run in a process of their own, which nobody waits for; it inherits the container's lock, so that nobody
 * starts or removes the container before they have run, and the container's recorded error says what is going on.
 */
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { killGroup } from "../../cgroup/kill-group.ts";
import { killMembers } from "../../runtime/namespace-members.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { runPoststopHooks } from "../devices/container-devices.ts";
import { recordDeath } from "../events/journal.ts";
import { internalCommand } from "../internal-command.ts";
import { lockContainer, lockHalfRemoved } from "../state/container-directory.ts";
import { type ContainerLock, inheritedLock } from "../state/container-lock.ts";
import {
  type Container,
  openContainers,
  recordError,
  recordedContainer,
  recordLoss,
  recordStatus,
} from "../state/containers.ts";
import { HOOKS_RUN, isAbandoned, isClaimed } from "./abandoned.ts";
import { killFirstProcess } from "./kill-first-process.ts";
import { hasDirectory, removeFiles } from "./remove-container.ts";
import { isToBeGone, lostContainer, withInterruptedHooks } from "./settle.ts";

/**
 * Finishes the removal of abandoned containers that are to be gone, and records the end of others. Does nothing about
 * those that somebody works on.
 * @param finishLater has another process call `finishContainer` for a container with hooks, which gets the lock's
 *   descriptor
 */
export function settleContainers(
  data: string,
  ids: readonly string[],
  finishLater = (id: string, lock: number): void => startFinishing(data, id, lock),
): void {
  using database = openContainers(data);
  for (const id of ids) {
    const container = recordedContainer(database, id);
    if (container === undefined) continue;
    if (!isClaimed(container)) recordInterruptedHooks(database, data, id);
    else if (isToBeGone(container)) finishRemoval(database, data, id, finishLater);
    else recordEndOfAbandoned(database, data, id, finishLater);
  }
}

/** Has a process that nobody waits for, and that inherits the lock, finish a container. */
function startFinishing(data: string, id: string, lock: number): void {
  const { cmd, argv0 } = internalCommand(["finish", data, id, "3"]);
  inAnyCase(() => Bun.spawn(cmd, { argv0, stdio: ["ignore", "ignore", "ignore", lock], detached: true }).unref());
}

/**
 * Runs the hooks of an abandoned container's devices, and then removes it or records what has failed.
 * @param lock the descriptor that holds the container's lock
 */
export function finishContainer(data: string, id: string, lock: number): void {
  using _lock = inheritedLock(lock);
  const failures = runPoststopHooks(data, id);
  using database = openContainers(data);
  const container = recordedContainer(database, id);
  if (container === undefined) return;
  if (container.status === "removing") {
    removeFiles(database, data, container, container.definition.remove);
    return;
  }
  const known = container.error.replace(HOOKS_RUN, "");
  recordError(database, id, [known, ...failures].join("; "));
}

/** Of an end that is on record. The hooks are not run once more: nobody knows how far they came. */
function recordInterruptedHooks(database: StateDatabase, data: string, id: string): void {
  using lock = lockContainer(data, id);
  const container = lock === undefined ? undefined : recordedContainer(database, id);
  if (container !== undefined) recordError(database, id, withInterruptedHooks(container).error);
}

function finishRemoval(
  database: StateDatabase,
  data: string,
  id: string,
  finishLater: (id: string, lock: number) => void,
): void {
  using lock = lockHalfRemoved(data, id);
  // The directory goes before the row. Where somebody is still at it two remove it, each what the other has left.
  if (lock === undefined && hasDirectory(data, id)) return;
  const container = recordedContainer(database, id);
  if (container === undefined || !isClaimed(container)) return;
  killFirstOf(container);
  killGroupOf(container);
  killMembersOf(container);
  const hasEnded = container.status === "removing";
  recordStatus(database, id, "removing");
  if (!hasEnded) recordDeath(data, container, lostContainer(container).exitStatus);
  if (!hasEnded && lock !== undefined && container.definition.namedDevices !== undefined) {
    finishLater(id, lock.number);
  } else {
    removeFiles(database, data, container, container.definition.remove);
  }
}

/**
 * Within a transaction: whoever takes the container's lock meanwhile records what he does with it only afterwards. And
 * nobody starts it again before its processes have ended and its control group is empty, which has the same name in each
 * of its runs.
 */
function recordEndOfAbandoned(
  database: StateDatabase,
  data: string,
  id: string,
  finishLater: (id: string, lock: number) => void,
): void {
  const abandoned = database.transaction(() => {
    const container = recordedContainer(database, id);
    if (container === undefined || !isAbandoned(data, container)) return undefined;
    const lock = container.definition.namedDevices === undefined ? undefined : lockContainer(data, id);
    killFirstOf(container);
    killGroupOf(container);
    const lost = lostContainer(container);
    recordLoss(database, lock === undefined ? lost : { ...lost, error: lost.error + HOOKS_RUN });
    return { container, lost, lock };
  });
  if (abandoned === undefined) return;
  const { container, lost } = abandoned;
  using lock: ContainerLock | undefined = abandoned.lock;
  killMembersOf(container);
  recordDeath(data, container, lost.exitStatus, [lost.error]);
  if (lock !== undefined) finishLater(id, lock.number);
}

/** In most cases the kernel has done that. */
function killFirstOf(container: Container): void {
  inAnyCase(() => killFirstProcess(container));
}

/* These kill what the first process leaves where it was not the first of a pid namespace. */

/** In the host's pid namespace only a cgroup tells who that is. */
function killGroupOf({ id, cgroup }: Container): void {
  if (cgroup === undefined) return;
  inAnyCase(() => {
    killGroup(cgroup);
    removeGroupMadeByHand(cgroup, id);
  });
}

/** In another container's it is told by the mount namespace, whose id no other gets. */
function killMembersOf({ mountNamespace }: Container): void {
  if (mountNamespace !== undefined) inAnyCase(() => killMembers(mountNamespace));
}

/** Does something whose failure nobody is told of; whatever it is, the container has ended, and so may others have. */
function inAnyCase(work: () => void): void {
  try {
    work();
  } catch {
    // What could not be done remains as it is.
  }
}
