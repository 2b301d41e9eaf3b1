import { expect, test } from "bun:test";
import { proportionalSizeOf } from "../../../../src/engine/supervisor/soft-limiter.ts";

const MAPPINGS = `55d0a0000000-55d0a0001000 r--p 00000000 fe:00 1234                       /bin/a program
Size:                  4 kB
Pss:                   4 kB
Pss_Dirty:             1 kB
VmFlags: rd mr mw me
7f0000000000-7f0006400000 rw-s 00000000 00:2f 5                          /dev/shm/file
Pss:              102400 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
Pss:                  12 kB
`;

test("mappings of files that are counted elsewhere are left out", () => {
  expect(proportionalSizeOf(MAPPINGS, new Set())).toBe((4 + 102_400 + 12) * 1024);
  expect(proportionalSizeOf(MAPPINGS, new Set(["00:2f"]))).toBe((4 + 12) * 1024);
  expect(proportionalSizeOf("", new Set())).toBe(0);
});
