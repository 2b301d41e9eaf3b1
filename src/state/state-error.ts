import { SQLiteError } from "bun:sqlite";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";

const BRING_BACK =
  "Bring the file back from a backup; or move the data directory away, and Bunker begins anew without images and containers.";

/** Somebody has used the database for too long. */
export const BUSY = {
  code: "state_busy",
  reason: "another process keeps it locked",
  hint: "See who has it open: fuser -v state.db.",
};

/** What SQLite's primary result codes mean for the user; sqlite.org/rescode.html. */
const explanations: Readonly<Record<number, { code: string; reason: string; hint?: string }>> = {
  5: BUSY,
  8: {
    code: "state_read_only",
    reason: "it cannot be written",
    hint: "You need to be able to write to the data directory and its files.",
  },
  11: { code: "state_damaged", reason: "it is damaged", hint: BRING_BACK },
  13: {
    code: "no_space",
    reason: "no space is left for it",
    hint: "Free some space on the file system of the data directory.",
  },
  26: { code: "state_damaged", reason: "it is no SQLite database", hint: BRING_BACK },
};

/** Its shared memory could not grow: SQLITE_IOERR_SHMSIZE. */
const NO_SPACE_FOR_INDEX = 4874;

/** Whether an explained error says that there is no space for the index of the log. */
export function lacksSpaceForIndex(error: unknown): boolean {
  return error instanceof BunkerError && error.cause instanceof SQLiteError && error.cause.errno === NO_SPACE_FOR_INDEX;
}

/**
 * Makes of what SQLite or a system call has failed with what the user is told.
 * @param path of the database
 * @returns a BunkerError with one of the codes that `openStateDatabase` names, or the error itself where it is the program's own
 */
export function explainStateError(error: unknown, path: string): unknown {
  if (error instanceof SQLiteError) {
    const result = error.errno === NO_SPACE_FOR_INDEX ? 13 : error.errno & 0xff;
    // A mistake of the program's own, such as a violated constraint, stays what it is.
    if (result === 1 || result === 19 || result === 20) return error;
    const known = explanations[result] ?? { code: "state_unreadable", reason: `${error.message} (${error.code})` };
    return new BunkerError({ operation: "use", object: path, ...known }, { cause: error });
  }
  // Of the system calls that get the files ready; whatever else is a BunkerError has been explained.
  if (!(error instanceof BunkerError) || error.code !== "system_call_failed") return error;
  const { errno } = error;
  const isFull = errno === Errno.ENOSPC || errno === Errno.EDQUOT;
  return new BunkerError(
    { code: isFull ? "no_space" : "state_unreadable", operation: "open", object: path, errno },
    { cause: error },
  );
}
