import { type MappedMemory, mapMemory, SystemCall, systemCall } from "./system-call.ts";

/** Advice of madvise(2). */
export const MADV_HUGEPAGE = 14;

/** Of most processors; where it is another, the kernel goes on as usual. */
const HUGE_PAGE_SIZE = 2 << 20;

/**
 * Maps private memory that will be used whole, in large pages where the kernel has some: then it is there after a few page
 * faults instead of one for each 4 KiB; madvise(2). Only what is aligned like a large page can be one, which not every
 * kernel sees to by itself.
 * @param size bytes, rounded up to whole large pages
 */
export function mapHugePages(size: number): MappedMemory {
  const memory = mapMemory(Math.ceil(size / HUGE_PAGE_SIZE) * HUGE_PAGE_SIZE, "private", HUGE_PAGE_SIZE);
  systemCall(SystemCall.madvise, memory.address, memory.bytes.length, MADV_HUGEPAGE);
  return memory;
}
