import { Errno } from "./errno.ts";
import { POLLOUT, poll } from "./poll.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** Milliseconds between two looks at a descriptor that takes no more. */
const PATIENCE = 60_000;

/**
 * Writes memory to a descriptor's position, all of it; write(2). Waits where it takes no more at the moment.
 * @param address,length of the memory, which stays the caller's
 * @returns 0, or the negated error number
 */
export function writeAll(descriptor: number, address: number, length: number): number {
  for (let written = 0; written < length; ) {
    const result = systemCall(SystemCall.write, descriptor, address + written, length - written);
    if (result >= 0) written += result;
    else if (result === -Errno.EAGAIN) waitForRoom(descriptor);
    else if (result !== -Errno.EINTR) return result;
  }
  return 0;
}

/** Waits a while for a descriptor that takes no more. Others may share what it stands for, so its mode is left alone. */
export function waitForRoom(descriptor: number): void {
  poll([descriptor], PATIENCE, POLLOUT);
}
