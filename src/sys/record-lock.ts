import { setInteger64 } from "./integer64.ts";
import { allocate, type Memory } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const FLOCK_SIZE = 32;

/** How a range is locked; the same numbers on all architectures of Linux. */
export const RecordLock = { shared: 0, exclusive: 1, release: 2 } as const;

let allocated: Memory | undefined;

/**
 * Locks a range of a file for the open file description, without waiting; F_OFD_SETLK of fcntl(2). It conflicts with the
 * record locks of processes, also with this process's own.
 * @param file opened for reading (shared) or writing (exclusive)
 * @param start,length bytes
 * @returns 0, or the negated error number: EAGAIN says that somebody else holds a lock there
 */
export function lockRange(
  file: number,
  kind: (typeof RecordLock)[keyof typeof RecordLock],
  start: number,
  length: number,
): number {
  return systemCall(SystemCall.fcntl, file, F_OFD_SETLK, describeRange(kind, start, length).address);
}

/**
 * Whether somebody else's lock keeps one from locking a range of a file exclusively; F_OFD_GETLK of fcntl(2). It takes no
 * lock, so that two who ask at once do not take one another for a holder.
 * @returns 1 or 0, or the negated error number
 */
export function isRangeLocked(file: number, start: number, length: number): number {
  const range = describeRange(RecordLock.exclusive, start, length);
  const result = systemCall(SystemCall.fcntl, file, F_OFD_GETLK, range.address);
  return result < 0 ? result : Number(range.view.getInt16(0, true) !== RecordLock.release);
}

/** struct flock. */
function describeRange(kind: number, start: number, length: number): Memory {
  allocated ??= allocate(FLOCK_SIZE);
  const { view } = allocated;
  view.setInt16(0, kind, true);
  view.setInt16(2, 0, true);
  setInteger64(view, 8, start);
  setInteger64(view, 16, length);
  view.setInt32(24, 0, true);
  return allocated;
}
