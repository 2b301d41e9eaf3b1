import { Errno } from "./errno.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** The kernel copies no more at once. */
const MOST_AT_ONCE = 0x7fff_f000;
const SEEK_SET = 0;

/**
 * Copies bytes of one file to the same place of another within the kernel; sendfile(2). Moves both positions.
 * @param from,to descriptors of regular files, `to` not for appending
 * @returns how many there were, fewer than `length` only where `from` ends; or the negated error number
 */
export function copyData(from: number, to: number, offset: number, length: number): number {
  for (const file of [from, to]) {
    const moved = systemCall(SystemCall.lseek, file, offset, SEEK_SET);
    if (moved < 0) return moved;
  }
  let copied = 0;
  while (copied < length) {
    const count = systemCall(SystemCall.sendfile, to, from, 0, Math.min(length - copied, MOST_AT_ONCE));
    if (count === -Errno.EINTR) continue;
    if (count < 0) return count;
    if (count === 0) break;
    copied += count;
  }
  return copied;
}
