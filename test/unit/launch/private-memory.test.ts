import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { unneededMappings } from "../../../src/launch/private-memory.ts";

const maps = `00400000-05400000 r-xp 00000000 08:01 42                         /usr/bin/bunker
05400000-05900000 rw-p 05000000 08:01 42                         /usr/bin/bunker
05900000-05a00000 rw-p 00000000 00:00 0
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
7f0000400000-7f0000800000 rw-s 00000000 00:01 7                          /dev/zero (deleted)
7f0000800000-7f0000c00000 r-xp 00000000 00:00 0
7f0000c00000-7f0001000000 rw-p 00000000 00:00 0                          [anon:heap]
7f0001000000-7f0001020000 rw-p 00000000 00:00 0
7f0002000000-7f0002400000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]
`;

describe("memory that children do not get", () => {
  test("is what is large, writable, private and has no name", () => {
    expect(unneededMappings(maps, 0)).toEqual([
      { start: 0x5900000, end: 0x5a00000 },
      { start: 0x7f0000000000, end: 0x7f0000400000 },
      { start: 0x7f0002000000, end: 0x7f0002400000 },
    ]);
  });

  test("leaves out the mapping in which the thread's own variables are", () => {
    expect(unneededMappings(maps, 0x7f0002000000).map(({ start }) => start)).toEqual([0x5900000, 0x7f0000000000]);
    expect(unneededMappings(maps, 0x7f00023fffff).map(({ start }) => start)).toEqual([0x5900000, 0x7f0000000000]);
    expect(unneededMappings(maps, 0x7f0002400000)).toHaveLength(3);
  });

  test("is not there in a child", () => {
    const fixture = join(import.meta.dir, "fixtures/heap-seen-by-child.ts");
    const { stdout, stderr } = Bun.spawnSync([process.execPath, fixture]);
    expect(stderr.toString()).toBe("");
    expect(stdout.toString()).toBe('show the heap: EFAULT {"exitCode":127} 1\n');
  });
});
