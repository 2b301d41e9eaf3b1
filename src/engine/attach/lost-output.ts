/*
 * Output of a container's that could not be written. Where its reader has gone nobody misses it; but of what was to go to a
 * file on a full disk, somebody has to be told, or the command would seem to have done what it was asked for.
 */
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";

/** Notes what becomes of the outputs; to be asked when the container has ended, and all else is done. */
export class LostOutput {
  #error: BunkerError | undefined;

  /**
   * Notes the end of an output.
   * @param errno what writing to it has failed with
   */
  note(stream: "output" | "error", errno: number | undefined): void {
    if (errno === undefined || errno === Errno.EPIPE || errno === Errno.ECONNRESET) return;
    this.#error ??= new BunkerError({
      code: "output_lost",
      operation: `write what the container has written to its standard ${stream}`,
      errno,
    });
  }

  /** @throws BunkerError `output_lost` */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
