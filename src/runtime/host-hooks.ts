/*
 * Hooks that run in the runtime's own namespaces (prestart, createRuntime, poststart, poststop): each gets the state on
 * its standard input and is waited for up to its timeout.
 */
import { launch, readFailure } from "../launch/launch.ts";
import { LaunchProgram } from "../launch/program.ts";
import { resetSignals } from "../launch/reset-signals.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { allocate } from "../sys/memory.ts";
import { MemoryFile } from "../sys/memory-file.ts";
import { waitForExit } from "../sys/process.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import type { Hook } from "./configuration/configuration.ts";
import type { State } from "./state.ts";
import { openDirectory } from "./steps/files.ts";
import { becomeHook } from "./steps/hooks.ts";

const PROGRAM_SIZE = 65536;

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
  using program = new LaunchProgram(PROGRAM_SIZE);
  resetSignals(program);
  const proc = openDirectory(program, "/proc", "proc");
  becomeHook(program, hook, stateDescriptor, proc);
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  const inTime = hook.timeout === undefined || endsWithin(child.pidfd, hook.timeout);
  const SIGKILL = 9;
  if (!inTime) systemCall(SystemCall.pidfd_send_signal, child.pidfd.number, SIGKILL, 0, 0);
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

/** Waits for a process to end. Returns false when the time, in seconds, is over first; ppoll(2). */
function endsWithin(pidfd: FileDescriptor, seconds: number): boolean {
  const POLLIN = 1;
  const memory = allocate(24);
  memory.view.setInt32(0, pidfd.number, true);
  memory.view.setInt16(4, POLLIN, true);
  memory.view.setBigInt64(8, BigInt(seconds), true);
  let result: number;
  do result = systemCall(SystemCall.ppoll, memory.address, 1, memory.address + 8, 0, 8);
  while (result === -Errno.EINTR);
  return result !== 0;
}
