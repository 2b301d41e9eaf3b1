/* The rest of a command that has started a container in the foreground: it is there until the end, and records it. */
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import type { KeepOpen } from "../../sys/remove-tree.ts";
import { killFirstProcess } from "../lifecycle/kill-first-process.ts";
import { recordContainerEnd } from "../lifecycle/record-end.ts";
import { removeFiles } from "../lifecycle/remove-container.ts";
import type { StartableContainer, StartedContainer } from "../lifecycle/start-container.ts";
import { recordedContainer } from "../state/containers.ts";
import { tell } from "../supervisor/connect.ts";
import { awaitEarlyEnd, copyOutputs, dismissSupervisor, keepRemoved } from "../supervisor/early-end.ts";
import type { Exit } from "../supervisor/protocol.ts";
import { supervisorLost } from "../supervisor/supervisor-loss.ts";
import { LostOutput } from "./lost-output.ts";
import { type AttachmentOptions, stayAttached } from "./supervised-attachment.ts";

/**
 * Stays attached to a container until it has ended, and records the end if that is this command's business. That comes
 * before the rest of the output is shown: whoever reads that may take long, and for others the container has ended.
 * @param started the container, which was started with `attachment`
 * @param leave is told the status when nothing is left to be done; it need not return
 * @returns its exit status; 0 when the user has detached from it
 * @throws BunkerError `supervisor_lost`, `output_lost`, `image_kept`
 */
export async function attendContainer(
  database: StateDatabase,
  data: string,
  { id, name, definition, lock }: Pick<StartableContainer, "id" | "name" | "definition" | "lock">,
  started: StartedContainer,
  attachment: AttachmentOptions,
  recordsEnd: boolean,
  leave?: (exitStatus: number) => void,
): Promise<number> {
  using socket = started.socket;
  using earlyWatch = started.earlyWatch;
  let incomplete: BunkerError | undefined;
  const record = ({ kind: _kind, ...end }: Exit, keepOpen?: KeepOpen) => {
    if (!recordsEnd) return;
    try {
      recordContainerEnd(database, data, { id, pid: started.pid }, end, keepOpen);
    } catch (error) {
      if (!(error instanceof BunkerError) || error.code !== "image_kept") throw error;
      incomplete = error;
    }
    lock.release();
    tell(socket, { kind: "recorded" });
  };
  const earlyEnd = earlyWatch === undefined ? undefined : awaitEarlyEnd(earlyWatch, attachment.signals);
  if (earlyEnd !== undefined && earlyWatch !== undefined) {
    const lost = new LostOutput();
    try {
      record(earlyEnd, keepRemoved(earlyWatch));
    } finally {
      copyOutputs(earlyWatch, attachment, lost);
    }
    dismissSupervisor(earlyWatch);
    lost.check();
    if (incomplete !== undefined) throw incomplete;
    leave?.(earlyEnd.exitStatus);
    return earlyEnd.exitStatus;
  }
  if (started.streams === undefined) return 0;
  let unrecorded: { readonly error: unknown } | undefined;
  const end = await stayAttached(socket, started.streams, attachment, (exit) => {
    try {
      record(exit);
    } catch (error) {
      // The user still sees all of the output.
      unrecorded = { error };
    }
  });
  if (unrecorded !== undefined) throw unrecorded.error;
  if (incomplete !== undefined) throw incomplete;
  if (end.kind === "detached") return 0;
  if (end.kind === "lost") {
    const recorded = recordedContainer(database, id);
    if (recorded !== undefined) killFirstProcess(recorded);
    if (definition.remove) removeFiles(database, data, { id, name, definition }, true);
    throw supervisorLost(name, end, started.supervisor);
  }
  return end.exitStatus;
}
