import { BunkerError } from "../../sys/error.ts";
import { SlirpError } from "./slirp-error.ts";

/**
 * Tells an error as slirp4netns does, in a line on standard error.
 * @returns the exit status
 * @throws what is neither a SlirpError nor a BunkerError
 */
export async function reportingErrors(run: () => void | Promise<void>): Promise<number> {
  try {
    await run();
    return 0;
  } catch (error) {
    if (!(error instanceof SlirpError) && !(error instanceof BunkerError)) throw error;
    console.error(error.message);
    if (error instanceof BunkerError && error.hint !== undefined) console.error(`hint: ${error.hint}`);
    return 1;
  }
}
