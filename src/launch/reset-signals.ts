import { Errno } from "../sys/errno.ts";
import { setInteger64 } from "../sys/integer64.ts";
import { SIG_SETMASK, SIGNAL_ACTION_SIZE, SIGNAL_COUNT, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import type { LaunchProgram } from "./program.ts";

/**
 * Lets the program that is executed start with every signal at its default action and none blocked but those named;
 * sigaction(2), sigprocmask(2). The clone has reset signals with handlers already, but not those that Bun ignores, such
 * as SIGPIPE.
 */
export function resetSignals(program: LaunchProgram, blocked: readonly number[] = []): void {
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
  const mask = program.reserve(SIGNAL_SET_SIZE);
  setInteger64(
    mask.view,
    0,
    blocked.reduce((all, number) => all + 2 ** (number - 1), 0),
  );
  program.call("rt_sigprocmask", [SIG_SETMASK, mask.address, 0, SIGNAL_SET_SIZE], { operation: "block signals" });
}
