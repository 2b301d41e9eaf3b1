import { writeSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { waitForRoom } from "../../sys/write-all.ts";
import { writeError } from "../../sys/write-error.ts";

/**
 * Writes all bytes to a descriptor, which may be a pipe that somebody has made non-blocking.
 * @param object for messages
 * @throws BunkerError `no_space`, `write_failed`
 */
export function writeFully(descriptor: number, bytes: Buffer, object: string): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at);
    } catch (cause) {
      if (errnoOf(cause) !== Errno.EAGAIN) throw writeError(cause, "write to", object);
      waitForRoom(descriptor);
    }
  }
}
