/*
 * What the runtime tells the engine that called it. An engine reads the file of --log, one entry a line in the form that
 * logrus (and so runc) writes, and shows standard error to its user: errors go to both, warnings to the file if there
 * is one.
 */
import { appendFileSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import * as messages from "../messages.ts";
import type { RuntimeGlobals } from "./globals.ts";

type Level = "debug" | "warning" | "error";

/** Engines tell by these words, which are strerror(3)'s, whether a command is missing or may not be executed. */
const SPELLED_OUT = new Map<number | undefined, string>([
  [Errno.EPERM, "operation not permitted"],
  [Errno.ENOENT, "no such file or directory"],
  [Errno.EACCES, "permission denied"],
]);

function writeEntry({ log, logFormat }: RuntimeGlobals, level: Level, message: string): void {
  if (log === undefined) return;
  const time = new Date().toISOString();
  const line =
    logFormat === "json"
      ? JSON.stringify({ level, msg: message, time })
      : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
  try {
    appendFileSync(log, `${line}\n`, { mode: 0o600 });
  } catch (error) {
    throw new BunkerError({
      code: "log_unwritable",
      operation: "write to the log",
      object: log,
      errno: errnoOf(error),
    });
  }
}

/** Says what the user should know although the command goes on. */
export function warn(globals: RuntimeGlobals, message: string): void {
  if (globals.log === undefined) messages.warning(message);
  else writeEntry(globals, "warning", message);
}

/** What says what --debug asks for; undefined without it, so that nobody takes pains over what is not wanted. */
export function debugLog(globals: RuntimeGlobals): ((message: string) => void) | undefined {
  if (!globals.debug) return undefined;
  return (message) => {
    if (globals.log === undefined) console.error(message);
    else writeEntry(globals, "debug", message);
  };
}

/** Says why a command failed. */
export function logError(globals: RuntimeGlobals, error: unknown): void {
  if (!(error instanceof BunkerError)) {
    const message = `internal_error: ${error instanceof Error ? error.message : String(error)}`;
    messages.error(message);
    writeEntry(globals, "error", message);
    if (process.env["BUNKER_DEBUG"] === "1" && error instanceof Error) messages.stack(error);
    return;
  }
  const words = SPELLED_OUT.get(error.errno);
  const message = words === undefined ? error.message : `${error.message} (${words})`;
  messages.error(message, error.hint);
  writeEntry(globals, "error", error.hint === undefined ? message : `${message}; ${error.hint}`);
}
