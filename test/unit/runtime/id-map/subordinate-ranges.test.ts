import { describe, expect, test } from "bun:test";
import { subordinateRanges } from "../../../../src/runtime/id-map/subordinate-ranges.ts";

function ranges(text: string) {
  return subordinateRanges(text, "/etc/subuid", "alice", 1000).map(({ first, count }) => [first, count]);
}

describe("subordinateRanges", () => {
  test.each([
    ["", []],
    ["alice:100000:65536\n", [[100000, 65536]]],
    ["alice:100000:65536", [[100000, 65536]]],
    ["1000:100000:65536\n", [[100000, 65536]]],
    ["bob:100000:65536\nalice2:1:1\n10000:5:5\n", []],
    [
      "alice:300000:10\nbob:1:1\nalice:100000:65536\n1000:200000:5\n",
      [
        [300000, 10],
        [100000, 65536],
        [200000, 5],
      ],
    ],
    ["# alice:1:1\n\n  \nalice:100000:65536\r\n", [[100000, 65536]]],
    ["alice:100000:65536\n1000:100000:65536\n", [[100000, 65536]]],
    ["alice:100000:0\n", []],
    [
      "alice:100000:10\nalice:100010:10\n",
      [
        [100000, 10],
        [100010, 10],
      ],
    ],
    ["alice:4294901759:65536\n", [[4294901759, 65536]]],
    ["bob:x:y\nalice:100000:1\n", [[100000, 1]]],
  ])("%j", (text, expected) => {
    expect(ranges(text)).toEqual(expected as number[][]);
  });

  test.each([
    ["alice:100000\n", "line 1"],
    ["# a\nalice:100000:65536:x\n", "line 2"],
    ["alice:abc:65536\n", "line 1"],
    ["alice:-1:65536\n", "line 1"],
    ["alice:0x10:65536\n", "line 1"],
    ["alice:100000:\n", "line 1"],
    ["alice:4294901760:65536\n", "line 1"],
    ["bob:1:1\nalice 100000 65536\n", "line 2"],
  ])("%j is malformed", (text, line) => {
    const message = `read /etc/subuid: ${line} is malformed: `;
    expect(() => ranges(text)).toThrow(expect.objectContaining({ code: "invalid_subordinate_ids" }));
    expect(() => ranges(text)).toThrow(message);
  });

  test.each([
    ["alice:100:10\nalice:109:10\n", "lines 1 and 2 overlap"],
    ["alice:100:10\nbob:1:1\n1000:95:6\n", "lines 1 and 3 overlap"],
    ["alice:100:10\nalice:100:20\n", "lines 1 and 2 overlap"],
    ["alice:100:100\nalice:150:1\n", "lines 1 and 2 overlap"],
  ])("%j overlaps", (text, message) => {
    expect(() => ranges(text)).toThrow(message);
  });

  test("a user without a name is found by number", () => {
    expect(subordinateRanges("undefined:1:1\n1000:5:5\n", "/etc/subgid", undefined, 1000)).toEqual([
      { first: 5, count: 5, line: 2 },
    ]);
  });
});
