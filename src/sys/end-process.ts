import { SystemCall, systemCall } from "./system-call.ts";

/**
 * Ends this process where it is; exit_group(2). The kernel closes what is open and gives locks back. What JavaScript's
 * runtime does besides at an end, and whoever has asked to be called then, is left out: that takes time, and some of it
 * happens to memory that is about to be gone. What has been written to standard output and error is out by then, as long
 * as whoever reads it was ready to take it.
 */
export function endProcess(status: number): never {
  for (;;) systemCall(SystemCall.exit_group, status);
}
