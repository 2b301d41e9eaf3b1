/* The rest of a command that has started a container in the foreground: it is there until the end, and records it. */
import type { StateDatabase } from "../../state/state-database.ts";
import { recordContainerEnd } from "../lifecycle/record-end.ts";
import { removeFiles } from "../lifecycle/remove-container.ts";
import type { StartableContainer, StartedContainer } from "../lifecycle/start-container.ts";
import { tell } from "../supervisor/connect.ts";
import { awaitEarlyEnd, dismissSupervisor, keepRemoved } from "../supervisor/early-end.ts";
import { supervisorLost } from "../supervisor/supervisor-loss.ts";
import { type AttachmentEnd, type AttachmentOptions, stayAttached } from "./supervised-attachment.ts";

/**
 * Stays attached to a container until it has ended, and records the end if that is this command's business.
 * @param started the container, which was started with `attachment`
 * @returns its exit status; 0 when the user has detached from it
 * @throws BunkerError `supervisor_lost`
 */
export async function attendContainer(
  database: StateDatabase,
  data: string,
  { id, name, definition, lock }: Pick<StartableContainer, "id" | "name" | "definition" | "lock">,
  started: StartedContainer,
  attachment: AttachmentOptions,
  recordsEnd: boolean,
): Promise<number> {
  using socket = started.socket;
  using earlyWatch = started.earlyWatch;
  const earlyEnd = earlyWatch === undefined ? undefined : awaitEarlyEnd(earlyWatch, attachment);
  const end: AttachmentEnd =
    earlyEnd ??
    (started.streams === undefined ? { kind: "detached" } : await stayAttached(socket, started.streams, attachment));
  if (end.kind === "detached") return 0;
  if (end.kind === "lost") {
    if (definition.remove) removeFiles(database, data, { id, name, definition }, true);
    throw supervisorLost(name, end, started.supervisor);
  }
  if (recordsEnd) {
    const { kind: _kind, ...known } = end;
    const keepOpen = earlyEnd === undefined || earlyWatch === undefined ? undefined : keepRemoved(earlyWatch);
    recordContainerEnd(database, data, id, known, keepOpen);
    lock.release();
    tell(socket, { kind: "recorded" });
    if (earlyEnd !== undefined && earlyWatch !== undefined) dismissSupervisor(earlyWatch);
  }
  return end.exitStatus;
}
