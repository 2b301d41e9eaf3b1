import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { resetSignals } from "../../launch/reset-signals.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { ownCommand } from "../../sys/own-command.ts";
import { type WaitingDescriptors, waitForEarlyEnd } from "./early-end.ts";
import { STOPPING_SIGNALS } from "./stopping-signals.ts";

const F_SETFD = 2;
const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Emits what makes a launched process the supervisor of the container that it has just cloned; supervise.ts.
 * @param inherited the descriptors of the socket to this command, of the container's lock, and of the socket that other
 * commands connect to
 * @param container with the slot of its process's pid
 * @param others `environment`: what it is started with; `passedOn`: how many descriptors from 3 on are the container's
 * alone; `earlyEnd`: the descriptors by which this command learns of an early end of the container, early-end.ts
 */
export function becomeSupervisor(
  program: LaunchProgram,
  inherited: { readonly control: number; readonly lock: number; readonly listener: number },
  container: { readonly data: string; readonly id: string; readonly pid: Slot },
  {
    environment,
    passedOn,
    earlyEnd,
  }: {
    readonly environment: readonly string[];
    readonly passedOn: number;
    readonly earlyEnd: Pick<WaitingDescriptors, "command" | "told"> | undefined;
  },
): void {
  const what = { operation: "start the container's supervisor" };
  program.call("setsid", [], what);
  // A signal descriptor sees only signals that every thread blocks, from its beginning on.
  resetSignals(program, STOPPING_SIGNALS);
  // What the container leaves behind becomes the supervisor's; runtime/orphans.ts.
  program.call("prctl", [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0], what);
  const nothing = program.slot("/dev/null");
  program.call("openat", [AT_FDCWD, program.text("/dev/null"), OpenFlag.O_RDWR | OpenFlag.O_CLOEXEC, 0], what, {
    result: nothing,
  });
  for (const stream of [0, 1, 2]) program.call("dup3", [nothing, stream, 0], what);
  for (let descriptor = 3; descriptor < 3 + passedOn; descriptor++) program.call("close", [descriptor], what);
  const { control, lock, listener } = inherited;
  const kept = [control, lock, listener];
  for (const descriptor of kept) program.call("fcntl", [descriptor, F_SETFD, 0], what);
  program.call("chdir", [program.text("/")], what);
  if (earlyEnd !== undefined) waitForEarlyEnd(program, container.pid, { kept, listener, ...earlyEnd });
  const words = [...ownCommand(), "internal", "supervise", ...kept.map(String), container.data, container.id];
  program.call("execve", [program.text("/proc/self/exe"), program.texts(words), program.texts(environment)], what);
}
