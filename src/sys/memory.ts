/*
 * Memory that the kernel may see.
 *
 * `ptr()` of a small typed array is not stable: the optimising compiler moves the storage of arrays that were made
 * without an ArrayBuffer, and the kernel then reads and writes freed memory. `ptr()` also keeps nothing alive: a
 * buffer that JavaScript no longer mentions is collected while the kernel still holds its address. Both fail only
 * after the code has become hot.
 *
 * Therefore this is the only module that calls `ptr()`. Every block is backed by an explicit ArrayBuffer and stays in
 * a list for the life of the process, so an address handed out here is valid for ever. Blocks are meant to be made
 * once, at the first use of the code that owns them, and used again for every call: system calls are synchronous, so
 * one block for each argument of each wrapper is enough. Large ones come from `mapMemory` in system-call.ts instead: a
 * page of those is there only when it is first used, and they can be given back.
 */
import { ptr } from "bun:ffi";

/** A piece of memory at a fixed address. */
export interface Memory {
  /** The address of its first byte. */
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same as `bytes`. It is made when it is asked for: a process's first Buffer takes 0.4 ms. */
  readonly buffer: Buffer;
  readonly view: DataView<ArrayBuffer>;
}

const rooted: ArrayBuffer[] = [];

/**
 * Allocates zeroed memory that never moves and is never freed.
 * @param size bytes, at least 1
 */
export function allocate(size: number): Memory {
  const storage = new ArrayBuffer(size);
  rooted.push(storage);
  return memoryOver(storage, ptr(storage));
}

/**
 * Wraps a part of an ArrayBuffer.
 * @param address of the part's first byte
 * @param start of the part, in bytes
 * @param size of the part, in bytes
 */
export function memoryOver(
  storage: ArrayBuffer,
  address: number,
  start = 0,
  size: number = storage.byteLength - start,
): Memory {
  let made: Buffer | undefined;
  return {
    address,
    bytes: new Uint8Array(storage, start, size),
    get buffer() {
      made ??= Buffer.from(storage, start, size);
      return made;
    },
    view: new DataView(storage, start, size),
  };
}
