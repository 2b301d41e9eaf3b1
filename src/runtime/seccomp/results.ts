import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { SeccompAction } from "./seccomp.ts";

// What a filter returns; linux/seccomp.h. The lower 16 bits are data: an errno, or a message to a tracer.
export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
const SECCOMP_RET_KILL_THREAD = 0;
const SECCOMP_RET_TRAP = 0x0003_0000;
const SECCOMP_RET_ERRNO = 0x0005_0000;
const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
const SECCOMP_RET_TRACE = 0x7ff0_0000;
const SECCOMP_RET_LOG = 0x7ffc_0000;
const SECCOMP_RET_ALLOW = 0x7fff_0000;

const RESULTS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
};

// The kernel cuts an errno at MAX_ERRNO, and a message at 16 bits.
const LARGEST_DATA: Partial<Record<SeccompAction, number>> = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 0xffff };

/**
 * What a filter returns for an action.
 * @param errnoRet only for ERRNO and TRACE; EPERM if undefined
 * @throws BunkerError `seccomp_errno_invalid`
 */
export function resultOf(action: SeccompAction, errnoRet: number | undefined): number {
  const largest = LARGEST_DATA[action];
  if (largest === undefined) {
    if (errnoRet === undefined) return RESULTS[action];
    throw new BunkerError({
      code: "seccomp_errno_invalid",
      operation: "compile the seccomp filter",
      object: action,
      reason: `this action takes no errno, but ${errnoRet} is given`,
    });
  }
  const data = errnoRet ?? Errno.EPERM;
  if (Number.isInteger(data) && data >= 0 && data <= largest) return RESULTS[action] + data;
  throw new BunkerError({
    code: "seccomp_errno_invalid",
    operation: "compile the seccomp filter",
    object: `${action} with ${data}`,
    reason: `the value must be an integer from 0 to ${largest}`,
  });
}

/** The result that makes a call look as if the kernel did not have it. */
export const RESULT_ENOSYS = SECCOMP_RET_ERRNO + Errno.ENOSYS;

/** Whether a result lets a call run, or asks somebody outside the filter about it. */
export function isPermissive(result: number): boolean {
  return result >= SECCOMP_RET_USER_NOTIF && result <= SECCOMP_RET_ALLOW;
}
