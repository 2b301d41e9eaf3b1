/*
 * Processes that somebody else waits for, told apart over time.
 *
 * A pid alone is given to a new process after the old one is gone. Together with the start time, which the kernel counts
 * from the machine's start, it names one process for ever. A pidfd pins the process it was opened for, so the order is:
 * open, then compare, then use the pidfd only.
 */
import { Errno } from "./errno.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { poll } from "./poll.ts";
import { readIfThere } from "./read-if-there.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** Per second, on every architecture's user interface; proc_pid_stat(5). */
export const CLOCK_TICKS = 100;

/** A process, also one that is gone. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between the machine's start and the process's; proc_pid_stat(5), field 22. */
  readonly startTime: number;
}

/** What /proc/PID/stat says; proc_pid_stat(5). Times are in clock ticks. */
export interface ProcessStatus {
  readonly parent: number;
  /** Whether it was stopped, by a signal or by a debugger. */
  readonly isStopped: boolean;
  /** User and system time used by the process. */
  readonly time: number;
  /** The same of its children that it has waited for, and of theirs. */
  readonly childrenTime: number;
  readonly threads: number;
  readonly startTime: number;
}

/** The status of a process that has not ended, or undefined. */
export function processStatus(pid: number): ProcessStatus | undefined {
  const status = processOrZombieStatus(pid);
  return status?.hasEnded === true ? undefined : status;
}

/** The status of a process, also of one that has ended and that nobody has waited for; or undefined. */
export function processOrZombieStatus(pid: number): (ProcessStatus & { readonly hasEnded: boolean }) | undefined {
  const text = readIfThere(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field is the command's name in parentheses, which may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  return {
    hasEnded: fields[0] === "Z" || fields[0] === "X",
    parent: field(4),
    isStopped: fields[0] === "T" || fields[0] === "t",
    time: field(14) + field(15),
    childrenTime: field(16) + field(17),
    threads: field(20),
    startTime: field(22),
  };
}

/** The identity of a process that is running, or undefined. */
export function identify(pid: number): ProcessIdentity | undefined {
  const status = processStatus(pid);
  return status === undefined ? undefined : { pid, startTime: status.startTime };
}

/**
 * Opens a process; pidfd_open(2).
 * @returns undefined when it has ended
 * @throws BunkerError for any other refusal
 */
export function openIdentified(identity: ProcessIdentity): FileDescriptor | undefined {
  const result = systemCall(SystemCall.pidfd_open, identity.pid, 0);
  if (result === -Errno.ESRCH) return undefined;
  const pidfd = new FileDescriptor(check(result, "open process", String(identity.pid)));
  if (identify(identity.pid)?.startTime === identity.startTime) return pidfd;
  pidfd.close();
  return undefined;
}

/**
 * Sends a signal; pidfd_send_signal(2).
 * @returns false when the process has ended
 * @throws BunkerError for any other refusal
 */
export function sendSignal(pidfd: FileDescriptor, signal: number): boolean {
  const result = systemCall(SystemCall.pidfd_send_signal, pidfd.number, signal, 0, 0);
  if (result === -Errno.ESRCH) return false;
  check(result, "send a signal");
  return true;
}

/**
 * Waits until a process has ended, whoever's child it is.
 * @param seconds how long at most
 * @returns false when the time is over first
 */
export function endsWithin(pidfd: FileDescriptor, seconds: number): boolean {
  return poll([pidfd.number], seconds * 1000)[0] !== 0;
}
