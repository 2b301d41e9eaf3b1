/*
 * Hooks that run in the container's namespaces (createContainer, startContainer): the launch program forks, the child
 * executes the hook with the container's state on its standard input, and the program waits for it, up to the hook's
 * timeout. A hook that fails ends the creation.
 */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { OpenFlag } from "../../sys/open.ts";
import { Signal } from "../../sys/signal.ts";
import type { Hook } from "../configuration/configuration.ts";

const SIGCHLD = 17;
const POLLIN = 1;

/** Emits the execution of a hook by the process that is the hook from now on. */
export function becomeHook(program: LaunchProgram, hook: Hook, stateDescriptor: number, proc: Slot): void {
  const what = { operation: "run hook", object: hook.path };
  const state = program.slot("hook state");
  // Opened anew, so that every hook reads the state from its start.
  const path = program.text(`self/fd/${stateDescriptor}`);
  program.call("openat", [proc, path, OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC], what, { result: state });
  program.call("dup3", [state, 0, 0], what);
  const { args = [] } = hook;
  program.call(
    "execve",
    [program.text(hook.path), program.texts(args.length === 0 ? [hook.path] : args), program.texts(hook.env ?? [])],
    what,
  );
  program.release(state);
}

/**
 * Runs hooks one after the other inside the container.
 * @param stateDescriptor a file with the container's state as JSON
 * @param proc the host's /proc
 */
export function runHooksInContainer(
  program: LaunchProgram,
  hooks: readonly Hook[],
  stateDescriptor: number,
  proc: Slot,
): void {
  for (const hook of hooks) {
    const what = { operation: "run hook", object: hook.path };
    const child = program.label("hook");
    const exited = program.label("hook exited");
    const killed = program.label("hook killed");
    const done = program.label("hook done");
    const pid = program.slot("hook pid");
    const result = program.slot("hook result");
    const pidfd = program.reserve(8);
    const status = program.reserve(8);
    program.fork(what, {
      child,
      flags: CloneFlag.PIDFD | SIGCHLD,
      result: pid,
      pidfdAddress: pidfd.address,
    });
    if (hook.timeout !== undefined) {
      const events = 4;
      const poll = program.reserve(8);
      const time = program.reserve(16);
      time.view.setBigInt64(0, BigInt(hook.timeout), true);
      poll.view.setInt16(events, POLLIN, true);
      program.load32(result, pidfd.address);
      program.store32(result, poll.address);
      program.call("ppoll", [poll.address, 1, time.address, 0, 8], what, { result });
      program.branch(result, "not equal", 0, exited);
      program.call("kill", [pid, Signal.SIGKILL], what);
      program.call("wait4", [pid, 0, 0, 0], what);
      program.fail({ ...what, reason: `it ran longer than its timeout of ${hook.timeout} s` });
    }
    program.place(exited);
    program.call("wait4", [pid, status.address, 0, 0], what);
    program.load32(result, status.address);
    program.branch(result, "equal", 0, done);
    // The exit code is the status's second byte; below it stands the signal.
    program.load32(result, status.address + 1);
    program.branch(result, "equal", 0, killed);
    program.fail({ ...what, hint: "the hook's own messages say why" }, result);
    program.place(killed);
    program.fail({ ...what, reason: "a signal has killed it" });
    program.place(child);
    becomeHook(program, hook, stateDescriptor, proc);
    program.place(done);
    program.load32(result, pidfd.address);
    program.call("close", [result], what);
    program.release(pid);
    program.release(result);
  }
}
