import { type MappedMemory, SystemCall, systemCall } from "./system-call.ts";

const MADV_HUGEPAGE = 14;

/**
 * Asks for large pages for memory that will be used whole: then it is there after a few page faults instead of one for
 * each 4 KiB. A kernel that has none goes on as usual; madvise(2).
 */
export function adviseHugePages({ address, buffer }: MappedMemory): void {
  systemCall(SystemCall.madvise, address, buffer.length, MADV_HUGEPAGE);
}
