/** The caller's id map and what the kernel makes of it: with subordinate ids, without, and as root. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CAPABILITY_NAMES, Capability } from "../../../../src/runtime/configuration/capabilities.ts";
import { makeUser, output, type UserName } from "../../../unprivileged-user.ts";

const script = `${import.meta.dir}/../fixtures/callers-namespace.ts`;
const users = ["bunker-test", "bunker-bare"] as const;

beforeAll(() => {
  for (const user of users) makeUser(user);
});

/** What the program says as a user, or as root. */
function ask(prefix: readonly string[], map?: object) {
  const words = [...prefix, process.execPath, script, ...(map === undefined ? [] : [JSON.stringify(map)])];
  return JSON.parse(output(words));
}

const as = (user: UserName) => ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--"];

function idOf(user: UserName): number {
  return Number(output(["id", "-u", user]));
}

/** The user's first range, as the file has it. */
function rangeOf(user: UserName, path: string): [number, number] {
  const line = readFileSync(path, "utf8")
    .split("\n")
    .find((candidate) => candidate.startsWith(`${user}:`));
  const [, first, count] = line?.split(":").map(Number) ?? [];
  return [first ?? 0, count ?? 0];
}

test("a user with subordinate ids gets them all, by the helpers", () => {
  const said = ask(as("bunker-test"));
  const id = idOf("bunker-test");
  expect(said.error).toBeUndefined();
  expect(said.map).toMatchObject({ kind: "full", warnings: [] });
  expect(said.uidMap).toEqual([
    [0, id, 1],
    [1, ...rangeOf("bunker-test", "/etc/subuid")],
  ]);
  expect(said.gidMap).toEqual([
    [0, id, 1],
    [1, ...rangeOf("bunker-test", "/etc/subgid")],
  ]);
  expect(said).toMatchObject({ privileged: false, initial: true, permitsSetGroups: true, setGroups: "allow" });
  expect(said.capabilities).toEqual([]);
});

test("a user without gets their own id alone, and no setgroups", () => {
  const said = ask(as("bunker-bare"));
  const id = idOf("bunker-bare");
  expect(said.error).toBeUndefined();
  expect(said.map).toMatchObject({ kind: "single", reason: expect.stringContaining("bunker-bare has no subordinate") });
  expect(said).toMatchObject({ uidMap: [[0, id, 1]], gidMap: [[0, id, 1]] });
  expect(said).toMatchObject({ privileged: false, permitsSetGroups: false, setGroups: "deny" });
});

test("root writes any map itself", () => {
  const map = {
    uidMappings: [
      { containerID: 0, hostID: 5000, size: 10 },
      { containerID: 10, hostID: 0, size: 1 },
    ],
    gidMappings: [{ containerID: 0, hostID: 77, size: 3 }],
  };
  const said = ask([], map);
  expect(said.error).toBeUndefined();
  expect(said).toMatchObject({
    uidMap: [
      [0, 5000, 10],
      [10, 0, 1],
    ],
    gidMap: [[0, 77, 3]],
  });
  expect(said).toMatchObject({ privileged: true, permitsSetGroups: true, setGroups: "allow" });
});

test("root of a user namespace is privileged there, and knows that it is not on the host", () => {
  const map = {
    uidMappings: [{ containerID: 7, hostID: 3, size: 2 }],
    gidMappings: [{ containerID: 0, hostID: 1, size: 1 }],
  };
  const said = ask([...as("bunker-test"), "unshare", "--user", "--map-auto", "--map-root-user"], map);
  expect(said.error).toBeUndefined();
  expect(said).toMatchObject({ privileged: true, initial: false, uidMap: [[7, 3, 2]], gidMap: [[0, 1, 1]] });
});

test("the capabilities are those that the kernel says are permitted", () => {
  const kept = ["chown", "setuid", "setgid", "kill"];
  const set = `-all,${kept.map((name) => `+${name}`).join(",")}`;
  const said = ask(["setpriv", `--bounding-set=${set}`, "--inh-caps=-all", "--"]);
  expect(said.capabilities.toSorted()).toEqual(kept.map((name) => `CAP_${name.toUpperCase()}`).toSorted());
  expect(said.privileged).toBe(true);
  expect(ask(["setpriv", "--bounding-set=-setuid", "--inh-caps=-all", "--"]).privileged).toBe(false);
  const mine = BigInt(`0x${/^CapPrm:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
  const expected = CAPABILITY_NAMES.filter((name) => ((mine >> BigInt(Capability[name])) & 1n) === 1n);
  expect(ask([]).capabilities).toEqual(expected);
});

describe("a refused map", () => {
  test("of somebody else's id, by the helper, whose words are kept", () => {
    const id = idOf("bunker-test");
    const own = { containerID: 0, hostID: id, size: 1 };
    const stolen = { containerID: 1, hostID: 1, size: 1 };
    const said = ask(as("bunker-test"), { uidMappings: [own, stolen], gidMappings: [own] });
    expect(said.error.code).toBe("id_map_refused");
    expect(said.error.message).toMatch(/^map ids by newuidmap 0 \d+ 1 1 1 1: newuidmap: .*not allowed/);
    expect(said.error.hint).toContain("/etc/subuid");
  });

  test("by the kernel, with the map and the errno", () => {
    const twice = { containerID: 0, hostID: 0, size: 2 };
    const said = ask([], { uidMappings: [twice, twice], gidMappings: [twice] });
    expect(said.error.message).toMatch(/^write the id map "0 0 2, 0 0 2" to \/proc\/\d+\/uid_map: EINVAL$/);
  });
});
