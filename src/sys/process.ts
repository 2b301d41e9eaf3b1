import { Errno } from "./errno.ts";
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** Which children waitid(2) waits for. */
export const WaitFor = { ALL: 0, PID: 1, PIDFD: 3 } as const;
/** Options of waitid(2); ALL also waits for children whose end sends another signal than SIGCHLD, or none. */
export const WaitOption = { WNOHANG: 1, WEXITED: 4, WNOWAIT: 0x1000000, ALL: 0x40000000 } as const;
/** The `si_code` of a child that ended by exit(2); every other code that WEXITED reports means a signal. */
export const CLD_EXITED = 1;

/** Bytes of `siginfo_t`. */
export const SIGNAL_INFORMATION_SIZE = 128;
/** Offsets of the 32-bit fields of `siginfo_t` that speak of a child (64-bit architectures). */
export const ChildInformation = { code: 8, pid: 16, status: 24 } as const;

/** How a process ended. */
export type ProcessEnd = { readonly exitCode: number } | { readonly signal: number };

let information: Memory | undefined;

/**
 * Waits for a child to end, and reaps it; waitid(2).
 * @param pid of a child of this process
 * @throws BunkerError `system_call_failed` with ECHILD if it is no such child
 */
export function waitForExit(pid: number): ProcessEnd {
  information ??= allocate(SIGNAL_INFORMATION_SIZE);
  const { address, view } = information;
  for (;;) {
    const options = WaitOption.WEXITED | WaitOption.ALL;
    const result = systemCall(SystemCall.waitid, WaitFor.PID, pid, address, options, 0);
    if (result === -Errno.EINTR) continue;
    check(result, "wait for process", `${pid}`);
    return processEnd(view);
  }
}

/**
 * How a child ended.
 * @param information the `siginfo_t` that says it
 */
export function processEnd(information: DataView): ProcessEnd {
  const status = information.getInt32(ChildInformation.status, true);
  return information.getInt32(ChildInformation.code, true) === CLD_EXITED ? { exitCode: status } : { signal: status };
}
