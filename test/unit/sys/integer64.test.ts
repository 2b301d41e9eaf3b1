import { expect, test } from "bun:test";
import { getInteger64, putInteger64, setInteger64 } from "../../../src/sys/integer64.ts";

test.each([0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, 2 ** 53 - 1, 1 - 2 ** 53])(
  "%d is written as the CPU would and read back",
  (value) => {
    const view = new DataView(new ArrayBuffer(24));
    setInteger64(view, 8, value);
    expect(view.getBigInt64(8, true)).toBe(BigInt(value));
    expect(view.getBigInt64(0, true)).toBe(0n);
    expect(view.getBigInt64(16, true)).toBe(0n);
    expect(getInteger64(view, 8)).toBe(value);
    const words = new Int32Array(6);
    putInteger64(words, 2, value);
    expect(words).toEqual(new Int32Array(view.buffer));
  },
);
