import { describe, expect, test } from "bun:test";
import type { IdMapping } from "../../../../src/runtime/configuration/configuration.ts";
import { composeMappings, formatMap, mappedCount, outerId } from "../../../../src/runtime/id-map/id-mapping.ts";
import { innerId } from "../../../../src/runtime/id-map/inner-id.ts";
import { keepIdMap } from "../../../../src/runtime/id-map/keep-id-map.ts";
import { type UserIdMapInput, userIdMap } from "../../../../src/runtime/id-map/user-id-map.ts";

function mappings(...triples: readonly (readonly [containerID: number, hostID: number, size: number])[]): IdMapping[] {
  return triples.map(([containerID, hostID, size]) => ({ containerID, hostID, size }));
}

const input: UserIdMapInput = {
  uid: 1000,
  gid: 1001,
  userName: "alice",
  subuid: "alice:100000:65536\n",
  subgid: "alice:200000:65536\n",
  helperProblem: undefined,
};

describe("userIdMap", () => {
  test("maps the caller and the ranges", () => {
    expect(userIdMap(input)).toEqual({
      kind: "full",
      uidMappings: mappings([0, 1000, 1], [1, 100000, 65536]),
      gidMappings: mappings([0, 1001, 1], [1, 200000, 65536]),
      warnings: [],
    });
  });

  test("concatenates several ranges in the file's order, and takes different counts of users and groups", () => {
    const map = userIdMap({ ...input, subuid: "alice:300000:60000\n1000:100000:60000\n" });
    expect(map.uidMappings).toEqual(mappings([0, 1000, 1], [1, 300000, 60000], [60001, 100000, 60000]));
    expect(map.gidMappings).toEqual(mappings([0, 1001, 1], [1, 200000, 65536]));
  });

  test("warns of few ids", () => {
    expect(userIdMap({ ...input, subgid: "alice:200000:1000\n" })).toMatchObject({
      kind: "full",
      warnings: ["/etc/subgid gives only 1000 ids: images with ids above 1000 cannot be used, 65536 are usual"],
    });
  });

  const single = { kind: "single", uidMappings: mappings([0, 1000, 1]), gidMappings: mappings([0, 1001, 1]) };
  const missing = (files: string, command: string) =>
    `alice has no subordinate ids in ${files}; an administrator can give some: ${command} alice`;
  test.each([
    [{ subuid: undefined }, missing("/etc/subuid", "usermod --add-subuids 265536-331071")],
    [{ subgid: "bob:1:5\n" }, missing("/etc/subgid", "usermod --add-subgids 165536-231071")],
    [
      { subuid: "", subgid: "alice:5:0" },
      missing("/etc/subuid and /etc/subgid", "usermod --add-subuids 100000-165535 --add-subgids 100000-165535"),
    ],
    [{ helperProblem: "newuidmap is missing" }, "newuidmap is missing"],
  ])("single id with %j", (change, reason) => {
    expect<unknown>(userIdMap({ ...input, ...change })).toMatchObject({ ...single, reason });
  });

  test("a single id is worth a warning only to those who have been given more", () => {
    expect(userIdMap({ ...input, subuid: undefined }).warnings).toEqual([]);
    expect(userIdMap({ ...input, helperProblem: "newuidmap is missing" }).warnings).toEqual([
      "containers have one user id only: newuidmap is missing",
    ]);
  });

  test("a user without a name is called by number", () => {
    const map = userIdMap({ ...input, userName: undefined });
    expect(map).toMatchObject({ kind: "single", reason: expect.stringContaining("1000 has no subordinate ids") });
  });

  test.each([
    [{ subuid: "alice:500:1000\n" }, "use /etc/subuid: line 1 contains the caller's own id 1000"],
    [{ subuid: "alice:1000:1\n" }, "use /etc/subuid: line 1 contains the caller's own id 1000"],
    [{ subgid: "alice:2000:5\nalice:1001:7" }, "use /etc/subgid: line 2 contains the caller's own id 1001"],
    [{ subgid: "alice:1:2:3\n" }, "read /etc/subgid: line 1 is malformed"],
    [{ subuid: "alice:1:9\nalice:5:9\n" }, "read /etc/subuid: lines 1 and 2 overlap"],
    [
      { subuid: Array.from({ length: 340 }, (_, index) => `alice:${100000 + 2 * index}:1`).join("\n") },
      "use /etc/subuid: 340 ranges for one user, the kernel takes 339",
    ],
  ])("refuses %j", (change, message) => {
    expect(() => userIdMap({ ...input, ...change })).toThrow(message);
  });

  test("ranges that touch the caller's id are fine", () => {
    const map = userIdMap({ ...input, subuid: "alice:900:100\nalice:1001:65536\n" });
    expect(map.uidMappings).toEqual(mappings([0, 1000, 1], [1, 900, 100], [101, 1001, 65536]));
  });
});

describe("keepIdMap", () => {
  const map = userIdMap({ ...input, subuid: "alice:100000:500\nalice:300000:65036\n" });

  test.each([
    [1000, mappings([0, 100000, 500], [500, 300000, 500], [1000, 1000, 1], [1001, 300500, 64536])],
    [0, mappings([0, 1000, 1], [1, 100000, 500], [501, 300000, 65036])],
    [1, mappings([0, 100000, 1], [1, 1000, 1], [2, 100001, 499], [501, 300000, 65036])],
    [65536, mappings([0, 100000, 500], [500, 300000, 65036], [65536, 1000, 1])],
    [70000, mappings([0, 100000, 500], [500, 300000, 65036], [70000, 1000, 1])],
  ])("uid %d", (uid, expected) => {
    const kept = keepIdMap(map, { uid, gid: 0 });
    expect(kept.uidMappings).toEqual(expected);
    expect(kept.gidMappings).toEqual(map.gidMappings);
    expect(outerId(kept.uidMappings, uid)).toBe(1000);
  });

  test("back from what is outside", () => {
    const map = mappings([0, 1000, 1], [1, 100_000, 65_536]);
    expect([1000, 100_000, 165_535].map((id) => innerId(map, id))).toEqual([0, 1, 65_536]);
    expect([0, 999, 1001, 99_999, 165_536].map((id) => innerId(map, id))).toEqual([
      65_534, 65_534, 65_534, 65_534, 65_534,
    ]);
  });

  test("nested in a namespace with the full map", () => {
    const identity = mappings([0, 0, 65537]);
    expect(keepIdMap({ uidMappings: identity, gidMappings: identity }, { uid: 1000, gid: 5 })).toEqual({
      uidMappings: mappings([0, 1, 1000], [1000, 0, 1], [1001, 1001, 64536]),
      gidMappings: mappings([0, 1, 5], [5, 0, 1], [6, 6, 65531]),
    });
  });

  test("of a single id", () => {
    const one = { uidMappings: mappings([0, 1000, 1]), gidMappings: mappings([0, 1001, 1]) };
    expect(keepIdMap(one, { uid: 1000, gid: 1001 })).toEqual({
      uidMappings: mappings([1000, 1000, 1]),
      gidMappings: mappings([1001, 1001, 1]),
    });
  });

  test("maps every outer id exactly once, whatever is wanted", () => {
    for (const wanted of [0, 1, 2, 499, 500, 501, 65535, 65536, 100000]) {
      const { uidMappings } = keepIdMap(map, { uid: wanted, gid: wanted });
      const outer = [...uidMappings].sort((a, b) => a.hostID - b.hostID);
      expect(mappedCount(uidMappings)).toBe(65537);
      for (const [index, { hostID }] of outer.entries()) {
        const before = outer[index - 1];
        if (before !== undefined) expect(hostID).toBeGreaterThanOrEqual(before.hostID + before.size);
      }
    }
  });
});

describe("composeMappings", () => {
  test("leaves out what the parent does not map", () => {
    expect(composeMappings(mappings([0, 5, 10]), mappings([0, 1000, 7]))).toEqual(mappings([0, 1005, 2]));
    expect(composeMappings(mappings([0, 5, 10]), [])).toEqual([]);
  });

  test("agrees with looking up one id after the other", () => {
    const inner = mappings([0, 7, 5], [20, 0, 7], [30, 12, 40]);
    const outer = mappings([0, 500, 3], [3, 900, 10], [20, 100, 15]);
    const joined = composeMappings(inner, outer);
    for (let id = 0; id < 80; id++) {
      const middle = outerId(inner, id);
      const expected = middle === undefined ? undefined : outerId(outer, middle);
      expect([id, outerId(joined, id)]).toEqual([id, expected]);
    }
  });
});

test("formatMap writes the lines of /proc/PID/uid_map", () => {
  expect(formatMap(mappings([0, 1000, 1], [1, 100000, 65536]))).toBe("0 1000 1\n1 100000 65536\n");
  expect(formatMap([])).toBe("");
});
