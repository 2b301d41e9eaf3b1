import { BunkerError, type ErrorDetails } from "./error.ts";

/**
 * Tells an error again, with some of it changed.
 * @returns one whose cause is the given error
 */
export function retellError(error: BunkerError, changes: Partial<ErrorDetails>): BunkerError {
  const { code, operation, object, reason, errno, hint, excerpt, exitStatus } = error;
  const details = { code, operation, object, reason, errno, hint, excerpt, exitStatus };
  return new BunkerError({ ...details, ...changes }, { cause: error });
}
