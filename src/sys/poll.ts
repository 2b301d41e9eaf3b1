import { Errno } from "./errno.ts";
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** Bytes of struct pollfd: the descriptor, the events wanted, the events that are there. */
export const POLL_ENTRY_SIZE = 8;
const POLLIN = 1;
export const POLLOUT = 4;

let memory: Memory | undefined;

/**
 * Waits once until one of some descriptors is ready or its other end is gone; ppoll(2).
 * @param patience milliseconds to wait at most; 0 only looks
 * @param wanted what it is to be ready for: to be read unless given
 * @returns for each descriptor what there is, a mask of `Event` bits; 0 for nothing
 */
export function poll(descriptors: readonly number[], patience: number, wanted: number = POLLIN): number[] {
  const time = POLL_ENTRY_SIZE * descriptors.length;
  if (memory === undefined || memory.bytes.length < time + 16) memory = allocate(time + 16);
  const { address, view } = memory;
  for (const [index, descriptor] of descriptors.entries()) {
    view.setInt32(POLL_ENTRY_SIZE * index, descriptor, true);
    view.setInt16(POLL_ENTRY_SIZE * index + 4, wanted, true);
  }
  // The view leaves fractions out. Another call may have had descriptors in the upper halves.
  view.setUint32(time, patience / 1000, true);
  view.setUint32(time + 4, 0, true);
  view.setUint32(time + 8, (patience % 1000) * 1e6, true);
  view.setUint32(time + 12, 0, true);
  let result: number;
  // Linux's own ppoll(2) leaves the rest of the time in the structure.
  do result = systemCall(SystemCall.ppoll, address, descriptors.length, address + time, 0, 8);
  while (result === -Errno.EINTR);
  check(result, "wait for events");
  return descriptors.map((_, index) => view.getInt16(POLL_ENTRY_SIZE * index + 6, true));
}
