/*
 * A parent that stays: a program file that waits for all of its children, whatever becomes of those who have started
 * them, and then ends.
 *
 * It is a few hundred bytes, without libc and with a single page of memory of its own. Its standard input is a socket on
 * which it first waits for a byte, or for the end: until then somebody else may look for its children by their pids, so
 * none is reaped. No signal but SIGKILL ends it; those whose parent it is then have the one that orphans get.
 */
import { type Architecture, hostArchitecture } from "../sys/architecture.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { WaitFor, WaitOption } from "../sys/process.ts";
import { sealedMemoryFile } from "../sys/sealed-memory-file.ts";
import { Signal } from "../sys/signal.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { OperationTable } from "./operation-table.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "./program-file.ts";

/** The descriptor that the reaper waits at. */
export const REAPER_SOCKET = 0;

/** The reaper as an ELF file. */
export function childReaper(architecture: Architecture): Uint8Array {
  const table = new OperationTable(VARIABLES_ADDRESS);
  const stack = table.slot("initial stack");
  const allSignals = table.slot("all signals");
  const wait = table.label("wait");
  const what = { operation: "wait for children" };
  table.set(allSignals, -1);
  table.call("rt_sigprocmask", [SIG_SETMASK, table.addressOf(allSignals), 0, SIGNAL_SET_SIZE], what);
  // A parent that ignored SIGCHLD would have made the kernel reap children at once; zero means SIG_DFL.
  table.call("rt_sigaction", [Signal.SIGCHLD, VARIABLES_BUFFER_ADDRESS, 0, SIGNAL_SET_SIZE], what);
  table.call("read", [REAPER_SOCKET, VARIABLES_BUFFER_ADDRESS, 1], what, { ignore: "any" });
  table.call("close", [REAPER_SOCKET], what, { ignore: "any" });
  table.place(wait);
  // ECHILD: there is none left.
  const options = WaitOption.WEXITED | WaitOption.ALL;
  table.call("waitid", [WaitFor.ALL, 0, 0, options, 0], what, { ignore: "any", onSuccess: wait });
  table.call("exit_group", [0], what);
  return encodeProgramFile(architecture, table, stack, "compact");
}

/** The reaper for this machine, as an executable file in memory that nobody can change any more. */
export function memfdWithChildReaper(): FileDescriptor {
  return sealedMemoryFile("child-reaper", childReaper(hostArchitecture()));
}
