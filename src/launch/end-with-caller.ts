import { Prctl } from "../sys/prctl.ts";
import { Signal } from "../sys/signal.ts";
import type { LaunchProgram } from "./program.ts";

/**
 * Ends the child with the thread that launches it at the latest, also when that has died already: a child that shares
 * descriptors would go on holding all of them, and the locks by them. Must come after every change of ids, which resets
 * it.
 */
export function endWithCaller(program: LaunchProgram): void {
  const what = { operation: "tie the life to the caller's" };
  const isTied = program.label("tied to the caller's life");
  const parent = program.slot("parent");
  program.call("prctl", [Prctl.PR_SET_PDEATHSIG, Signal.SIGKILL, 0, 0, 0], what);
  program.call("getppid", [], what, { result: parent });
  program.branch(parent, "equal", process.pid, isTied);
  program.call("exit_group", [0], what);
  program.place(isTied);
  // The slot is not released: with memory in common the caller may write its next variable before this is executed.
}
