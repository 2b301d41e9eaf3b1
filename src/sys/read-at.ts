import { Errno } from "./errno.ts";
import { allocate, type Memory } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** Bytes that are read in one call. */
const MOST = 1 << 16;

let memory: Memory | undefined;

/**
 * Reads bytes of a file, at most 64 KiB of them; pread(2). They may go into any buffer: the kernel puts them into memory of
 * its own first, which does not move.
 * @param start where in `data` they are put, and `end`, up to where
 * @param position in the file
 * @returns how many there were, 0 at the file's end, or the negated error number
 */
export function readAt(file: number, data: Uint8Array, start: number, end: number, position: number): number {
  memory ??= allocate(MOST);
  const { address, buffer } = memory;
  for (;;) {
    // Not by Math; integer64.ts.
    let wanted = end - start;
    if (wanted > MOST) wanted = MOST;
    const count = systemCall(SystemCall.pread64, file, address, wanted, position);
    if (count === -Errno.EINTR) continue;
    if (count > 0) data.set(buffer.subarray(0, count), start);
    return count;
  }
}
