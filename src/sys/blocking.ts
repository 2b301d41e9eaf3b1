import { OpenFlag } from "./open.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const F_SETFL = 4;

/**
 * Says whether reading and writing wait. It holds for everyone who has a duplicate of the descriptor, in other processes
 * too; F_SETFL of fcntl(2). Status flags that were set before, such as O_APPEND, are cleared.
 * @param descriptor a pipe, FIFO, socket or terminal
 */
export function setBlocking(descriptor: number, isBlocking: boolean): void {
  const flags = isBlocking ? 0 : OpenFlag.O_NONBLOCK;
  const operation = `make a file descriptor ${isBlocking ? "blocking" : "non-blocking"}`;
  check(systemCall(SystemCall.fcntl, descriptor, F_SETFL, flags), operation);
}
