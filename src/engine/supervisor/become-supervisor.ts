import type { LaunchProgram } from "../../launch/program.ts";
import { resetSignals } from "../../launch/reset-signals.ts";
import { ownCommand } from "../../runtime/user-namespace-process.ts";
import { setInteger64 } from "../../sys/integer64.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { Signal } from "../../sys/signal.ts";
import { SIG_SETMASK, SIGNAL_SET_SIZE } from "../../sys/signal-set.ts";

const F_SETFD = 2;
const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Emits what makes a launched process the supervisor of the container that it has just cloned; supervise.ts.
 * @param inherited the descriptors of the socket to this command and of the container's lock
 * @param passedOn how many descriptors from 3 on are the container's alone
 */
export function becomeSupervisor(
  program: LaunchProgram,
  inherited: { readonly control: number; readonly lock: number },
  container: { readonly data: string; readonly id: string },
  passedOn: number,
): void {
  const what = { operation: "start the container's supervisor" };
  program.call("setsid", [], what);
  resetSignals(program);
  // A signal descriptor sees only signals that every thread blocks, from its beginning on.
  const blocked = program.reserve(SIGNAL_SET_SIZE);
  const bits = [Signal.SIGTERM, Signal.SIGINT, Signal.SIGHUP].reduce((all, signal) => all + 2 ** (signal - 1), 0);
  setInteger64(blocked.view, 0, bits);
  program.call("rt_sigprocmask", [SIG_SETMASK, blocked.address, 0, SIGNAL_SET_SIZE], what);
  // What the container leaves behind becomes the supervisor's; runtime/orphans.ts.
  program.call("prctl", [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0], what);
  const nothing = program.slot("/dev/null");
  program.call("openat", [AT_FDCWD, program.text("/dev/null"), OpenFlag.O_RDWR | OpenFlag.O_CLOEXEC, 0], what, {
    result: nothing,
  });
  for (const stream of [0, 1, 2]) program.call("dup3", [nothing, stream, 0], what);
  for (const descriptor of [inherited.control, inherited.lock]) program.call("fcntl", [descriptor, F_SETFD, 0], what);
  for (let descriptor = 3; descriptor < 3 + passedOn; descriptor++) program.call("close", [descriptor], what);
  program.call("chdir", [program.text("/")], what);
  const { control, lock } = inherited;
  const words = [...ownCommand(), "internal", "supervise", String(control), String(lock), container.data, container.id];
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  program.call("execve", [program.text("/proc/self/exe"), program.texts(words), program.texts(environment)], what);
}
