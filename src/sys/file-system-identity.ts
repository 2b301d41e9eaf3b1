import { encodeText } from "./byte-string.ts";
import { allocate } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** Bytes of `struct statfs` (64-bit architectures), and its fields f_type and f_fsid. */
const STATFS_SIZE = 120;
const TYPE = 0;
const IDENTITY = 56;

/**
 * What tells the filesystem of a path from others, also over reboots where the filesystem has an identity of its own;
 * statfs(2).
 * @returns its type and its identity, in hexadecimal
 * @throws BunkerError `system_call_failed`
 */
export function fileSystemIdentity(path: string): string {
  const memory = allocate(STATFS_SIZE);
  const name = allocate(4096);
  name.buffer.write(`${encodeText(path)}\0`, "latin1");
  check(systemCall(SystemCall.statfs, name.address, memory.address), "look at the filesystem of", path);
  return `${hexadecimal(memory.view, TYPE)}:${hexadecimal(memory.view, IDENTITY)}`;
}

/** An integer of 64 bits, without the engine's large integers: their first use takes 0.1 ms of every start. */
function hexadecimal(view: DataView, offset: number): string {
  const low = view.getUint32(offset, true).toString(16);
  const high = view.getUint32(offset + 4, true);
  return high === 0 ? low : high.toString(16) + low.padStart(8, "0");
}
