import { BunkerError } from "../sys/error.ts";
import type { RunOptions } from "./run-options.ts";

/**
 * Runs a container in the foreground.
 * @returns its exit status
 * @throws BunkerError
 */
export async function runContainer(_options: RunOptions): Promise<number> {
  throw new BunkerError({ code: "not_available", operation: "run a container", reason: "this build has no engine" });
}
