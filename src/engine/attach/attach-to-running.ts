import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { lookUpContainer } from "../lifecycle/find-container.ts";
import { supervisorOf } from "../lifecycle/stop-container.ts";
import type { Container } from "../state/containers.ts";
import { tell } from "../supervisor/connect.ts";
import { supervisorLost } from "../supervisor/supervisor-loss.ts";
import { checkTerminal, receiveSignals } from "./attachment.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { requestAttachment, stayAttached, tellSize } from "./supervised-attachment.ts";

/** How a command is attached to a container that runs. */
interface AttachOptions {
  /** Whether to its input as well, if that is open. */
  readonly interactive: boolean;
  /** As the user has written them; undefined for the usual ones. */
  readonly detachKeys: string | undefined;
  /** Whether signals that the command gets go to the container. */
  readonly signalProxy: boolean;
  /** What to do for who has no terminal. */
  readonly remedy: string;
}

/**
 * Attaches to a container that runs, until it has ended or the user detaches from it.
 * @returns its exit status, 0 when the user has detached from it, undefined when it does not run
 * @throws BunkerError `no_terminal`, `invalid_detach_keys`, `container_busy`, `supervisor_lost`
 */
export async function attachToRunning(
  database: StateDatabase,
  data: string,
  container: Container,
  options: AttachOptions,
): Promise<number | undefined> {
  const { name, status, definition } = container;
  const { terminal, openInput } = definition;
  if (status === "paused") throw refused(name, "it is paused", "Unpause it first.");
  if (status === "restarting") throw beingStarted(name);
  const detachKeys = parseDetachKeys(options.detachKeys);
  using socket = supervisorOf(database, data, container.id);
  if (socket === undefined) return undefined;
  const input = openInput && options.interactive;
  checkTerminal({ interactive: input, terminal }, options.remedy);
  using signals = receiveSignals(options.signalProxy);
  const attachment = { input, output: true, error: true, terminal, detachKeys, signals };
  const streams = requestAttachment(socket, attachment);
  tell(socket, { kind: "wait" });
  tellSize(socket, terminal);
  recordContainerEvent(data, "attach", container);
  const end = await stayAttached(socket, streams, attachment);
  if (end.kind === "detached") {
    recordContainerEvent(data, "detach", container);
    return 0;
  }
  if (end.kind === "lost") {
    throw end.reason === undefined && isStartedAgain(database, data, container)
      ? beingStarted(name)
      : supervisorLost(name, end);
  }
  return end.exitStatus;
}

/**
 * Whether a container whose supervisor has gone is being started again: for that it is handed to another one. It is not
 * because it still runs by its row: a supervisor that was killed holds its lock a moment longer.
 */
function isStartedAgain(database: StateDatabase, data: string, { id, pid }: Container): boolean {
  const now = lookUpContainer(database, data, id);
  return now?.status === "restarting" || (now?.status === "running" && now.pid !== pid);
}

function beingStarted(name: string): BunkerError {
  return refused(name, "it is just being started again", "Wait until it is running.");
}

function refused(name: string, reason: string, hint: string): BunkerError {
  const what = { code: "container_busy", operation: "attach to container", object: name, reason };
  return new BunkerError({ ...what, hint, exitStatus: 1 });
}
