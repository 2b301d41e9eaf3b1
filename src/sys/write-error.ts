import { Errno } from "./errno.ts";
import { BunkerError, errnoOf } from "./error.ts";

/**
 * Turns what `node:fs` has thrown into an error that says what was being written.
 * @returns anything else as it is
 */
export function writeError(cause: unknown, operation: string, object: string): unknown {
  const errno = errnoOf(cause);
  if (errno === undefined || cause instanceof BunkerError) return cause;
  return writeFailure(errno, operation, object, cause);
}

/** The error for a system call that could not write something; `pipe_closed` is never shown, as with other programs. */
export function writeFailure(errno: number, operation: string, object: string, cause?: unknown): BunkerError {
  const isFull = errno === Errno.ENOSPC || errno === Errno.EDQUOT;
  return new BunkerError(
    {
      code: isFull ? "no_space" : errno === Errno.EPIPE ? "pipe_closed" : "write_failed",
      operation,
      object,
      errno,
      hint: isFull ? "Free some space there, or choose another place." : undefined,
    },
    { cause },
  );
}
