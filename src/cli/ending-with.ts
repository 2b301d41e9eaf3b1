import { BunkerError } from "../sys/error.ts";

/** What errors end with that say nothing else. */
const ENGINE_FAILED = 125;

/** Reports an error that has no exit status of its own, so that the command ends with the given one. */
export async function endingWith(status: number, run: () => Promise<number> | number): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof BunkerError) || error.exitStatus !== ENGINE_FAILED) throw error;
    const { reportError } = await import("./report-error.ts");
    const own = await reportError(error);
    return own === ENGINE_FAILED ? status : own;
  }
}
