import { toArrayBuffer } from "bun:ffi";
import { type Memory, memoryOver } from "./memory.ts";

/** Memory that somebody else keeps, at least as long as it is used here. */
export function memoryAt(address: number, size: number): Memory {
  const storage = toArrayBuffer(address as Parameters<typeof toArrayBuffer>[0], 0, size) as ArrayBuffer;
  return memoryOver(storage, address);
}
