import { Errno } from "../sys/errno.ts";
import { SIG_SETMASK, SIGNAL_ACTION_SIZE, SIGNAL_COUNT, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import type { LaunchProgram } from "./program.ts";

/**
 * Lets the program that is executed start with every signal at its default action and none blocked; sigaction(2),
 * sigprocmask(2). The clone has reset signals with handlers already, but not those that Bun ignores, such as SIGPIPE.
 */
export function resetSignals(program: LaunchProgram): void {
  const defaults = program.reserve(SIGNAL_ACTION_SIZE).address;
  const signal = program.slot("signal");
  const again = program.label("next signal");
  program.set(signal, 0);
  program.place(again);
  program.add(signal, signal, 1);
  // SIGKILL and SIGSTOP, whose action cannot be set, answer EINVAL.
  const what = { operation: "reset signals" };
  program.call("rt_sigaction", [signal, defaults, 0, SIGNAL_SET_SIZE], what, { ignore: [Errno.EINVAL] });
  program.branch(signal, "less", SIGNAL_COUNT, again);
  program.call("rt_sigprocmask", [SIG_SETMASK, defaults, 0, SIGNAL_SET_SIZE], { operation: "unblock signals" });
}
