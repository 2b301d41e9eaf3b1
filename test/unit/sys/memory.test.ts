/**
 * The memory that the kernel and C see must be the memory that JavaScript sees, also after the optimising compiler
 * has folded the code. A pointer that went stale is wrong only after some hundred rounds, so each pattern of use runs
 * three million times.
 */

import { dlopen, FFIType } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { allocate } from "../../../src/sys/memory.ts";
import { mapMemory } from "../../../src/sys/system-call.ts";

const ROUNDS = 3_000_000;
const address = FFIType.i64_fast;

function openMemcpy() {
  const symbols = { memcpy: { args: [address, address, address], returns: FFIType.void } } as const;
  for (const name of ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"]) {
    try {
      return dlopen(name, symbols).symbols.memcpy;
    } catch {
      // The next name.
    }
  }
  throw new Error("no C library found");
}

const memcpy = openMemcpy();

/** Copies a number from `from` to `to` by C in each round; returns how often JavaScript then read another one. */
function countWrongCopies(write: (value: number) => number, read: () => number, to: number): number {
  let wrong = 0;
  for (let round = 0; round < ROUNDS; round++) {
    memcpy(to, write(round), 4);
    if (read() !== round) wrong++;
  }
  return wrong;
}

describe("three million copies by C are right", () => {
  test("between allocated blocks, through their views", () => {
    const [from, to] = [allocate(16), allocate(16)];
    const write = (value: number) => {
      from.view.setInt32(4, value, true);
      return from.address + 4;
    };
    expect(countWrongCopies(write, () => to.view.getInt32(8, true), to.address + 8)).toBe(0);
  });

  test("between a block's bytes, its buffer and its view", () => {
    const { bytes, buffer, view } = allocate(8);
    bytes[7] = 0xab;
    buffer[6] = 0xcd;
    expect([buffer.length, buffer[7], view.getUint16(6, true)]).toEqual([8, 0xab, 0xabcd]);
  });

  test("between allocated blocks, through their buffers", () => {
    const [from, to] = [allocate(8), allocate(8)];
    const write = (value: number) => {
      from.buffer.writeInt32LE(value, 0);
      return from.address;
    };
    expect(countWrongCopies(write, () => to.buffer.readInt32LE(0), to.address)).toBe(0);
  });

  test("through a typed array over an allocated block", () => {
    const [from, to] = [allocate(16), allocate(16)];
    const source = new Int32Array(from.view.buffer);
    const target = new Int32Array(to.view.buffer);
    const write = (value: number) => {
      source[2] = value;
      return from.address + 8;
    };
    expect(countWrongCopies(write, () => target[1] ?? -1, to.address + 4)).toBe(0);
  });

  test.each(["private", "shared"] as const)("between %s mapped memory and an allocated block", (sharing) => {
    using from = mapMemory(4096, sharing);
    const to = allocate(4);
    const write = (value: number) => {
      from.view.setInt32(4092, value, true);
      return from.address + 4092;
    };
    expect(countWrongCopies(write, () => to.view.getInt32(0, true), to.address)).toBe(0);
  });

  test("through a pointer stored in an allocated block, while garbage is collected", () => {
    const [pointer, to] = [allocate(8), allocate(4)];
    const from = allocate(4);
    pointer.view.setBigUint64(0, BigInt(from.address), true);
    const where = Number(pointer.view.getBigUint64(0, true));
    let garbage: unknown[] = [];
    const write = (value: number) => {
      if ((value & 0xff) === 0) garbage = [];
      garbage.push({ value });
      if ((value & 0xfffff) === 0) Bun.gc(true);
      from.view.setInt32(0, value, true);
      return where;
    };
    expect(countWrongCopies(write, () => to.view.getInt32(0, true), to.address)).toBe(0);
  });
});

test("a block that JavaScript has forgotten keeps its content", () => {
  const make = () => {
    const block = allocate(4);
    block.view.setInt32(0, 4711, true);
    return block.address;
  };
  const addresses = Array.from({ length: 1000 }, make);
  Bun.gc(true);
  Array.from({ length: 100_000 }, (_, index) => new Uint8Array(index % 64));
  Bun.gc(true);
  const seen = allocate(4);
  for (const from of addresses) {
    seen.view.setInt32(0, 0, true);
    memcpy(seen.address, from, 4);
    expect(seen.view.getInt32(0, true)).toBe(4711);
  }
});

test("blocks are zeroed and apart", () => {
  const [first, second] = [allocate(64), allocate(64)];
  first.buffer.fill(0xff);
  expect([...second.buffer]).toEqual(Array(64).fill(0));
  expect(Math.abs(first.address - second.address)).toBeGreaterThanOrEqual(64);
});
