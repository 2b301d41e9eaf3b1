import { type LaunchOptions, launch, readFailure } from "../../../src/launch/launch.ts";
import type { LaunchProgram } from "../../../src/launch/program.ts";
import type { BunkerError } from "../../../src/sys/error.ts";
import { type ProcessEnd, waitForExit } from "../../../src/sys/process.ts";

/** Launches a program, waits for its end, and closes what the launch opened. */
export function runProgram(
  program: LaunchProgram,
  options: LaunchOptions = { flags: 0 },
): { failure: BunkerError | undefined; end: ProcessEnd } {
  const launched = launch(program, options);
  using _errors = launched.errors;
  using _pidfd = launched.pidfd;
  const failure = readFailure(launched, program);
  return { failure, end: waitForExit(launched.pid) };
}

/** A description for operations whose failure is not what the test is about. */
export const unexpected = { operation: "fail unexpectedly" };
