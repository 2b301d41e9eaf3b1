/* How a container's end goes on record, whoever sees it: its supervisor, or the command that it was run by. */
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { outOfMemoryKills } from "../../cgroup/out-of-memory.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { errnoName } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { processStatus } from "../../sys/process-identity.ts";
import type { KeepOpen } from "../../sys/remove-tree.ts";
import { recordContainerEvent, recordDeath, recordNetworkEvent, recordVolumeMounts } from "../events/journal.ts";
import { internalCommand } from "../internal-command.ts";
import {
  containerWithId,
  openContainers,
  recordEnd,
  recordError,
  recordOutOfMemory,
  recordStatus,
  recordStop,
} from "../state/containers.ts";
import { endpointsOfContainer } from "../state/networks.ts";
import type { Exit } from "../supervisor/protocol.ts";
import { findContainer } from "./find-container.ts";
import { removeFiles } from "./remove-container.ts";
import { isToBeRestarted } from "./restart-policy.ts";

/** One of a container's runs, by its first process. */
export interface ContainerRun {
  readonly id: string;
  readonly pid: number;
}

/** What a supervisor says of an end. */
export type End = Omit<Exit, "kind">;

/**
 * Records the end, and removes a container of `--rm`, unless somebody is restarting it. To be called by who holds the container's lock.
 * @param run whose end it is; nothing is done if that is on record, as it is when the command was stopped in between
 * @param keepOpen takes the directories of one that is removed
 * @returns whether the restart policy asks for another start
 * @throws BunkerError `image_kept` when all but the removal of its image is done
 */
export function recordContainerEnd(
  database: StateDatabase,
  data: string,
  { id, pid }: ContainerRun,
  end: End,
  keepOpen?: KeepOpen,
): boolean {
  const { exitStatus } = end;
  const container = containerWithId(database, id);
  if (container?.pid !== pid) return false;
  const { definition } = container;
  const { name } = definition.restart;
  const { cgroup } = container;
  if (end.isOutOfMemory === true || (cgroup !== undefined && outOfMemoryKills(cgroup) > 0)) {
    // The supervisor may have had it written down when it happened.
    if (!container.outOfMemory) recordContainerEvent(data, "oom", container);
    recordOutOfMemory(database, id);
  }
  if (cgroup !== undefined) removeGroupMadeByHand(cgroup, id);
  const errors = definition.namedDevices === undefined ? [] : [...runPoststopHooks(data, id)];
  recordDeath(data, container, exitStatus, errors);
  recordVolumeMounts(data, "unmount", container);
  for (const { network } of endpointsOfContainer(database, id)) {
    recordNetworkEvent(data, "disconnect", network, { container: id });
  }
  const isStopped = end.isStopped || container.stoppedByUser;
  if (end.isStopCommand === true) recordContainerEvent(data, "stop", container);
  const isAgain =
    name !== "no" &&
    !isStopped &&
    !end.isShutDown &&
    isToBeRestarted(definition.restart, exitStatus, container.restartCount);
  if (definition.remove && !isAgain && !end.isRestart) {
    recordStatus(database, id, "removing");
    removeFiles(database, data, container, true, keepOpen);
    if (definition.removesImage === true) removeImageOf(data, definition.image, exitStatus);
    return false;
  }
  recordEnd(database, { id, pid }, { status: isAgain ? "restarting" : "exited", exitStatus });
  if (end.isStopped) recordStop(database, id);
  if (end.lostBytes > 0) {
    const reason = end.lostErrno === undefined ? "" : `: ${errnoName(end.lostErrno)}`;
    errors.push(`${end.lostBytes} bytes of the log could not be written${reason}`);
  }
  if (errors.length > 0) recordError(database, id, errors.join("; "));
  return isAgain;
}

/**
 * The hooks of its devices; what executes them is more than a supervisor should load, so another process has it, which
 * warns of what fails, if anybody is there to read it.
 * @returns what failed
 */
function runPoststopHooks(data: string, id: string): readonly string[] {
  let said: string;
  try {
    const { stdout } = Bun.spawnSync({
      ...internalCommand(["poststop", data, id]),
      stdio: ["ignore", "pipe", "inherit"],
    });
    said = stdout.toString();
  } catch {
    // The end is recorded all the same.
    return ["the hooks of its devices were not run: the host permits no further process"];
  }
  // Nothing when it was killed.
  return said === "" ? ["the hooks of its devices were interrupted"] : JSON.parse(said);
}

/**
 * Podman's `--rmi`. What removes images is more than most ends need, so another process has it.
 * @throws BunkerError `image_kept`
 */
function removeImageOf(data: string, image: string, exitStatus: number): void {
  try {
    Bun.spawnSync({ ...internalCommand(["remove-image", data, image]), stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    throw new BunkerError({
      code: "image_kept",
      operation: "remove image",
      object: image,
      reason: "the host permits no further process",
      errno: errnoOf(error),
      hint: "Remove it with bunker rmi.",
      exitStatus,
    });
  }
}

/** Whether the command that is to record the end, whose child its supervisor is, was stopped by a signal. */
export function isRecorderStopped(): boolean {
  return processStatus(process.ppid)?.isStopped === true;
}

/** Records that a container which waited to be started again will not be. */
export function recordNoRestart(data: string, id: string, isStopped: boolean, isStopCommand: boolean): void {
  using database = openContainers(data);
  if (isStopCommand) recordContainerEvent(data, "stop", findContainer(database, data, id));
  recordStatus(database, id, "exited");
  if (isStopped) recordStop(database, id);
}

/** Records what a supervisor fails of; that its container has ended by that is seen by the free lock. */
export function recordSupervisorFailure(data: string, id: string, reason: string): void {
  using database = openContainers(data);
  recordError(database, id, `the supervisor failed: ${reason}`);
}

/** `recordContainerEnd` for a supervisor, which has no database open. */
export function recordEndFromSupervisor(data: string, run: ContainerRun, end: End): boolean {
  using database = openContainers(data);
  try {
    return recordContainerEnd(database, data, run, end);
  } catch (error) {
    // Nobody is there to be told, and the container is gone.
    if (error instanceof BunkerError && error.code === "image_kept") return false;
    throw error;
  }
}
