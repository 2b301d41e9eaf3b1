/*
 * Hooks that run in the runtime's own namespaces (prestart, createRuntime, poststart, poststop): each gets the state on
 * its standard input and is waited for up to its timeout.
 */
import { launch, readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { wordsSize } from "../launch/words-size.ts";
import { BunkerError } from "../sys/error.ts";
import { MemoryFile } from "../sys/memory-file.ts";
import { waitForExit } from "../sys/process.ts";
import { endsWithin, sendSignal } from "../sys/process-identity.ts";
import { Signal } from "../sys/signal.ts";
import type { Hook } from "./configuration/configuration.ts";
import type { State } from "./state.ts";
import { openDirectory } from "./steps/files.ts";
import { becomeHook } from "./steps/hooks.ts";

const PROGRAM_SIZE = 32768;

/**
 * Runs hooks in their order.
 * @throws BunkerError `hook_failed` for the first that cannot be started, fails, or exceeds its timeout
 */
export function runHostHooks(hooks: readonly Hook[], state: State): void {
  if (hooks.length === 0) return;
  using file = new MemoryFile("state");
  file.write(JSON.stringify(state));
  for (const hook of hooks) runHook(hook, file.descriptor.number);
}

function runHook(hook: Hook, stateDescriptor: number): void {
  const { path, args = [], env = [] } = hook;
  using program = new LaunchProgram(PROGRAM_SIZE + wordsSize([path, ...args, ...env]));
  resetSignals(program);
  const proc = openDirectory(program, "/proc", "proc");
  becomeHook(program, hook, stateDescriptor, proc);
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  const inTime = hook.timeout === undefined || endsWithin(child.pidfd, hook.timeout);
  if (!inTime) sendSignal(child.pidfd, Signal.SIGKILL);
  const end = waitForExit(child.pid);
  if (failure !== undefined) throw failure;
  if (inTime && "exitCode" in end && end.exitCode === 0) return;
  const reason = inTime
    ? "exitCode" in end
      ? `exit status ${end.exitCode}`
      : `killed by signal ${end.signal}`
    : `it ran longer than its timeout of ${hook.timeout} s`;
  throw new BunkerError({ code: "hook_failed", operation: "run hook", object: hook.path, reason });
}
