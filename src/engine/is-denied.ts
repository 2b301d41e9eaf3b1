import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";

/** Whether an error says that somebody else may do what was tried, such as the root of a user namespace. */
export function isDenied(error: unknown): boolean {
  return error instanceof BunkerError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
}
