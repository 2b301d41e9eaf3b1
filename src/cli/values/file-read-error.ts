import { BunkerError } from "../../sys/error.ts";

/**
 * The error for a file that could not be read.
 * @param code as in BunkerError
 * @param operation as in BunkerError
 * @param path of the file
 * @param error as node:fs threw it, with the kernel's negated error number
 */
export function fileReadError(code: string, operation: string, path: string, error: unknown): BunkerError {
  const known = error instanceof Error && "errno" in error && typeof error.errno === "number";
  const cause = known ? { errno: -Number(error.errno) } : { reason: String(error) };
  return new BunkerError({ code, operation, object: path, ...cause }, { cause: error });
}
