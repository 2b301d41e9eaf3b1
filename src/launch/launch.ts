import { hostArchitecture } from "../sys/architecture.ts";
import { CLONE_ARGUMENTS_SIZE, CloneFlag, writeCloneArguments } from "../sys/clone.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { getInteger64 } from "../sys/integer64.ts";
import { machineFunction } from "../sys/machine-code.ts";
import { allocate, type Memory } from "../sys/memory.ts";
import { Signal } from "../sys/signal.ts";
import { SIGNAL_ACTION_SIZE, SIGNAL_SET_SIZE } from "../sys/signal-set.ts";
import { pipe } from "../sys/socket.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";
import { errorFromFailureRecord, FAILURE_RECORD_SIZE } from "./failure.ts";
import { cloneInterpreters } from "./interpreter/clone-interpreters.ts" with { type: "macro" };
import { keepMemoryFromChildren } from "./private-memory.ts";
import type { LaunchProgram } from "./program.ts";

/** How the child is cloned. */
export interface LaunchOptions {
  /**
   * Bits of `CloneFlag`: the namespaces to make, and PARENT. With VM the child executes in this process's memory, and the
   * program must not be disposed before `readFailure` has returned.
   */
  readonly flags: number;
  /** The signal at the child's end; default SIGCHLD, or none with CLONE_PARENT, which inherits the caller's. */
  readonly exitSignal?: number;
  /** A descriptor of the cgroup v2 directory to start in. */
  readonly cgroup?: number;
}

/** A child that executes its launch program, or by now what the program has executed. */
export interface LaunchedProcess {
  /** As seen from the caller's pid namespace. */
  readonly pid: number;
  readonly pidfd: FileDescriptor;
}

/** A child whose failure the caller reads with `readFailure`. */
export interface ObservedProcess extends LaunchedProcess {
  /** The read end of the pipe that a failure record comes through. */
  readonly errors: FileDescriptor;
}

type Interpreter = (cloneArguments: number, size: number, slots: number) => number;

interface Launcher {
  readonly interpret: Interpreter;
  readonly cloneArguments: Memory;
  readonly pidfd: Memory;
  readonly record: Memory;
}

let launcher: Launcher | undefined;
const interpreters = cloneInterpreters();

/** The interpreter and the structures around it, made at the first launch. */
function theLauncher(): Launcher {
  if (launcher !== undefined) return launcher;
  stopIgnoringChildren();
  launcher = {
    interpret: machineFunction(interpreters[hostArchitecture()]),
    cloneArguments: allocate(CLONE_ARGUMENTS_SIZE),
    pidfd: allocate(4),
    record: allocate(FAILURE_RECORD_SIZE),
  };
  return launcher;
}

/** Whoever started us may have ignored SIGCHLD; then the kernel would reap our children, and nobody learn of their end. */
function stopIgnoringChildren(): void {
  const SIG_IGN = 1;
  const action = allocate(SIGNAL_ACTION_SIZE);
  systemCall(SystemCall.rt_sigaction, Signal.SIGCHLD, 0, action.address, SIGNAL_SET_SIZE);
  if (getInteger64(action.view, 0) !== SIG_IGN) return;
  action.bytes.fill(0);
  systemCall(SystemCall.rt_sigaction, Signal.SIGCHLD, action.address, 0, SIGNAL_SET_SIZE);
}

/**
 * Clones a child that executes `program`, with a pipe for its failure.
 * @throws BunkerError `launch_failed` if the clone itself fails
 */
export function launch(program: LaunchProgram, options: LaunchOptions): ObservedProcess {
  const [errors, writeEnd] = pipe();
  using _closedHere = writeEnd;
  try {
    return { ...launchReportingTo(writeEnd.number, program, options), errors };
  } catch (error) {
    errors.close();
    throw error;
  }
}

/**
 * Clones a child that executes `program` and reports its failure to a descriptor of the caller's, from which
 * `errorFromFailureRecord` makes an error wherever the record is read. The descriptor should be close-on-exec.
 * @throws BunkerError `launch_failed` if the clone itself fails
 */
export function launchReportingTo(
  errorDescriptor: number,
  program: LaunchProgram,
  options: LaunchOptions,
): LaunchedProcess {
  const { interpret, cloneArguments, pidfd } = theLauncher();
  if ((options.flags & CloneFlag.VM) === 0) keepMemoryFromChildren();
  // A program that fails puts its record on the stack, which would be the running parent's.
  const stack = (options.flags & CloneFlag.VM) === 0 ? undefined : program.reserveStack();
  program.prepare(errorDescriptor);
  const inheritsExitSignal = (options.flags & CloneFlag.PARENT) !== 0;
  writeCloneArguments(cloneArguments.view, {
    flags: options.flags | CloneFlag.PIDFD,
    pidfdAddress: pidfd.address,
    exitSignal: options.exitSignal ?? (inheritsExitSignal ? 0 : Signal.SIGCHLD),
    clearSignalHandlers: true,
    stack,
    cgroup: options.cgroup,
  });
  const pid = interpret(cloneArguments.address, CLONE_ARGUMENTS_SIZE, program.slotsAddress);
  if (pid < 0) throw new BunkerError({ code: "launch_failed", operation: "clone a process", errno: -pid });
  return { pid, pidfd: new FileDescriptor(pidfd.view.getInt32(0, true)) };
}

/**
 * Waits until the launch program has ended: it has executed another program, exited, or failed.
 * @returns the error that the program failed with, or undefined
 */
export function readFailure(process: ObservedProcess, program: LaunchProgram): BunkerError | undefined {
  const { record } = theLauncher();
  for (;;) {
    const count = systemCall(SystemCall.read, process.errors.number, record.address, FAILURE_RECORD_SIZE);
    if (count === -Errno.EINTR) continue;
    check(count, "read the launch program's failure");
    return count === FAILURE_RECORD_SIZE ? errorFromFailureRecord(record.bytes, program.failureTable()) : undefined;
  }
}
