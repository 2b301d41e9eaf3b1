/* What is done about containers whose supervisor, or whoever removed them, was killed; find-container.ts finds them. */
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { killGroup } from "../../cgroup/kill-group.ts";
import { killMembers } from "../../runtime/namespace-members.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { runDeviceHooks } from "../devices/container-devices.ts";
import { lockHalfRemoved } from "../state/container-directory.ts";
import { type Container, openContainers, recordedContainer, recordLoss, recordStatus } from "../state/containers.ts";
import { isAbandoned, isClaimed } from "./abandoned.ts";
import { isToBeGone, lostContainer } from "./find-container.ts";
import { hasDirectory, removeFiles } from "./remove-container.ts";

/**
 * Finishes the removal of abandoned containers that are to be gone, and records the end of others. Does nothing about
 * those that somebody works on.
 */
export function settleContainers(data: string, ids: readonly string[]): void {
  using database = openContainers(data);
  for (const id of ids) {
    const container = recordedContainer(database, id);
    if (container === undefined) continue;
    if (isToBeGone(container)) finishRemoval(database, data, id);
    else recordEndOfAbandoned(database, data, id);
  }
}

function finishRemoval(database: StateDatabase, data: string, id: string): void {
  using lock = lockHalfRemoved(data, id);
  // The directory goes before the row. Where somebody is still at it two remove it, each what the other has left.
  if (lock === undefined && hasDirectory(data, id)) return;
  const container = recordedContainer(database, id);
  if (container === undefined || !isClaimed(container)) return;
  killGroupOf(container);
  killMembersOf(container);
  if (container.status !== "removing") runPoststopHooks(data, container);
  recordStatus(database, id, "removing");
  removeFiles(database, data, container, container.definition.remove);
}

/**
 * Within a transaction: whoever takes the container's lock meanwhile records what he does with it only afterwards. And
 * nobody starts it again before its control group is empty, which has the same name in each of its runs.
 */
function recordEndOfAbandoned(database: StateDatabase, data: string, id: string): void {
  const abandoned = database.transaction(() => {
    const container = recordedContainer(database, id);
    if (container === undefined || !isAbandoned(data, container)) return undefined;
    killGroupOf(container);
    recordLoss(database, lostContainer(container));
    return container;
  });
  if (abandoned === undefined) return;
  killMembersOf(abandoned);
  runPoststopHooks(data, abandoned);
}

/*
 * The first process was killed by the kernel with its supervisor. These kill what it leaves where it was not the first of a
 * pid namespace.
 */

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

/** Those of a container's devices, which its supervisor has not come to. */
function runPoststopHooks(data: string, { id, definition }: Container): void {
  if (definition.namedDevices !== undefined) {
    inAnyCase(() => runDeviceHooks(data, id, "poststop", undefined, undefined));
  }
}

/** Does something whose failure nobody is told of; whatever it is, the container has ended, and so may others have. */
function inAnyCase(work: () => void): void {
  try {
    work();
  } catch {
    // What could not be done remains as it is.
  }
}
