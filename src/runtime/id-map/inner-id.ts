import type { IdMapping } from "../configuration/configuration.ts";

/** See `overflowuid` in proc_sys_kernel(5). */
const OVERFLOW_ID = 65534;

/** What an id outside is inside, as the kernel tells it: one that is not mapped is its overflow id. */
export function innerId(mappings: readonly IdMapping[], id: number): number {
  const mapping = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return mapping === undefined ? OVERFLOW_ID : mapping.containerID + (id - mapping.hostID);
}
