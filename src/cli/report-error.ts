import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";

const FREE_SPACE = "Free some space where Bunker keeps its files.";
const GET_ACCESS = "See to it that you may read and write there; Bunker keeps its files in $XDG_DATA_HOME/bunker.";

/** 128 + SIGPIPE: what a shell reports of a program that wrote to a pipe nobody reads any more. */
const BROKEN_PIPE_STATUS = 141;

/**
 * Tells the user what went wrong, on standard error: one line `bunker: …`, and `hint: …` where there is one; lines of
 * the user's text that it is about come first. An exception that is no `BunkerError` is a fault of Bunker's; its stack is
 * shown with BUNKER_DEBUG=1, unless it only says that the disk is full or a file is not accessible. Nothing is said when the reader of standard output has gone.
 * @returns the exit status
 */
export async function reportError(error: unknown): Promise<number> {
  if (isBrokenPipe(error)) return BROKEN_PIPE_STATUS;
  const messages = await import("./messages.ts");
  const wantsStack = process.env["BUNKER_DEBUG"] === "1";
  if (error instanceof BunkerError) {
    if (error.excerpt !== undefined) messages.excerpt(error.excerpt);
    messages.error(error.message, error.hint ?? (lacksSpace(error) ? FREE_SPACE : undefined));
  } else if (isFullDisk(error)) {
    messages.error(`${error.syscall ?? "write"} ${error.path ?? "a file"}: ${error.code}`, FREE_SPACE);
  } else if (isRefusedFile(error)) {
    messages.error(`${error.syscall} ${error.path}: ${error.code}`, GET_ACCESS);
  } else {
    const hint = wantsStack ? undefined : "run it again with BUNKER_DEBUG=1 to see where, and report it";
    messages.error(`internal_error: ${error instanceof Error ? error.message : String(error)}`, hint);
  }
  if (wantsStack && error instanceof Error) messages.stack(error);
  return error instanceof BunkerError ? error.exitStatus : 125;
}

/** Whether an error that nobody has explained is that of a file for which there is no space. */
function lacksSpace({ code, errno }: BunkerError): boolean {
  return code === "system_call_failed" && (errno === Errno.ENOSPC || errno === Errno.EDQUOT);
}

function isFullDisk(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** Whether the kernel has refused access to a file, which is no fault of Bunker's. */
function isRefusedFile(error: unknown): error is NodeJS.ErrnoException {
  const refusals = ["EACCES", "EPERM", "EROFS"];
  return error instanceof Error && "path" in error && "code" in error && refusals.some((code) => code === error.code);
}

function isBrokenPipe(error: unknown): boolean {
  if (error instanceof BunkerError) return error.code === "pipe_closed";
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}
