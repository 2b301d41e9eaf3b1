/* The last step into the sandbox, sandbox.ts: a process that has started with the host's files leaves them. */
import { errnoName } from "../../sys/errno.ts";
import { allocate } from "../../sys/memory.ts";
import { waitForExit } from "../../sys/process.ts";
import { check, SystemCall, systemCall } from "../../sys/system-call.ts";
import { SlirpError } from "./slirp-error.ts";

/** A child that waits to change the root. */
export interface SandboxRoot {
  /** A pipe: a byte has it change the root. */
  readonly go: number;
  /** Its process id. */
  readonly keeper: number;
}

/** An exit status is the low byte of what a process exits with, here a negated errno. */
const STATUS_COUNT = 256;

/** Leaves the host's files. */
export function enterRoot({ go, keeper }: SandboxRoot): void {
  check(systemCall(SystemCall.write, go, allocate(1).address, 1), "change the root directory for the sandbox");
  systemCall(SystemCall.close, go);
  const end = waitForExit(keeper);
  if ("exitCode" in end && end.exitCode === 0) return;
  const reason = "exitCode" in end ? errnoName(STATUS_COUNT - end.exitCode) : `signal ${end.signal}`;
  throw new SlirpError(`cannot change the root directory for the sandbox: ${reason}`);
}
