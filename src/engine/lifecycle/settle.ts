/*
 * Rows of the state database that are not true any more, and how they are set right.
 *
 * A row says what was recorded last. Whoever starts, supervises or removes a container holds the lock of its directory
 * meanwhile (container-directory.ts), and the kernel gives a lock back when its holder dies. So a row that says `running`,
 * `restarting` or `removing` while nobody holds the lock was left by somebody killed, or by a reboot. The supervisor's
 * death was the end of the container's processes too, or this is (kill-first-process.ts), and how they ended nobody
 * knows; Docker says 255 then. One that is to be gone by now, because it was being removed or has `--rm`, is gone.
 *
 * There is no daemon that would notice, so whoever looks at such a row sets it right before anything is said of it. That
 * happens in the look-ups, find-container.ts and list-outlines.ts, and nowhere else: a command's beginning would be the
 * wrong place, since there it is not known yet whether the command has to do with containers, and with which, and a
 * container may be abandoned at any later moment as well. Who looks for one container pays for the look at one lock.
 *
 * All rows that a look-up finds are set right at once, by a process of their own (`bunker internal settle`,
 * settle-container.ts): the code for that is more than what a list needs, and hardly any list has a use for it. It takes
 * each container's lock, or records the end in a transaction in which nobody has it, so that of several that look at
 * once one does it. Where nothing can be written the rows remain as they are, and what is told of them is true all the same.
 */
import type { StateDatabase } from "../../state/state-database.ts";
import { internalCommand } from "../internal-command.ts";
import { isHeld } from "../state/container-directory.ts";
import type { Container } from "../state/containers.ts";
import { HOOKS_RUN, isClaimed } from "./abandoned.ts";

/** The exit status of a container whose end nobody saw. */
const UNKNOWN_STATUS = 255;
const LOST = "the supervisor was killed; how the container ended is unknown";

/** Whether an abandoned container is to be removed. */
export function isToBeGone({ status, definition }: Container): boolean {
  return status === "removing" || definition.remove;
}

/** What an abandoned container has come to. */
export function lostContainer(container: Container): Container & { readonly exitStatus: number } {
  return {
    ...container,
    status: "exited",
    pid: undefined,
    finished: Date.now(),
    exitStatus: UNKNOWN_STATUS,
    error: container.error || LOST,
  };
}

/** What a container has come to whose hooks nobody runs any more. */
export function withInterruptedHooks(container: Container): Container {
  return { ...container, error: container.error.replace(HOOKS_RUN, "; the hooks of its devices were interrupted") };
}

/** Has the rows of abandoned containers set right, if the host permits a further process. */
export function settle(database: StateDatabase, data: string, ids: readonly string[]): void {
  if (database.isReadOnly) return;
  try {
    Bun.spawnSync({ ...internalCommand(["settle", data, ...ids]), stdio: ["ignore", "ignore", "ignore"] });
  } catch {
    // Whoever looks next sets them right.
  }
}

/** What is to be said of a container that was abandoned: it could not be set right, or somebody is still removing it. */
export function asLeft(data: string, left: Container): Container {
  if (!isClaimed(left)) return isHeld(data, left.id) ? left : withInterruptedHooks(left);
  if (isToBeGone(left)) return { ...left, status: "removing" };
  return isHeld(data, left.id) ? left : lostContainer(left);
}
