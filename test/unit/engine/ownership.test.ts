import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ownership } from "../../../src/engine/ownership.ts";
import { makeUser, output, type UserName } from "../../unprivileged-user.ts";

const script = `${import.meta.dir}/fixtures/ownership.ts`;

beforeAll(() => {
  for (const user of ["bunker-test", "bunker-bare"] as const) makeUser(user);
});

function ask(user: UserName | "root", ...words: readonly string[]): string {
  const become = user === "root" ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--"];
  return output([...become, process.execPath, script, ...words]).trim();
}

function ownershipOf(user: UserName | "root", mode: object): Ownership {
  return JSON.parse(ask(user, "of", JSON.stringify(mode)));
}

const idOf = (user: UserName) => Number(output(["id", "-u", user]));

describe("ownershipOf", () => {
  const common = { kind: "default" };

  test("root needs no user namespace", () => {
    const own = ownershipOf("root", common);
    expect(own.userNamespace).toBeUndefined();
    expect(own).toMatchObject({
      mapping: "full",
      store: "/data",
      defaultUser: "",
      warnings: [],
    });
  });

  test("a user gets their own map", () => {
    const own = ownershipOf("bunker-test", common);
    expect(own).toMatchObject({ mapping: "full", store: "/data", defaultUser: "", warnings: [] });
    expect(own.userNamespace?.uidMappings[0]).toEqual({ containerID: 0, hostID: idOf("bunker-test"), size: 1 });
    expect(own.userNamespace?.uidMappings[1]?.containerID).toBe(1);
  });

  test("a user without subordinate ids has one id", () => {
    const own = ownershipOf("bunker-bare", common);
    expect(own).toMatchObject({ mapping: "single", store: "/data" });
    expect(own.userNamespace?.uidMappings).toEqual([{ containerID: 0, hostID: idOf("bunker-bare"), size: 1 }]);
  });

  test("keep-id: the caller is themselves, in a store apart", () => {
    const id = idOf("bunker-test");
    const own = ownershipOf("bunker-test", { kind: "keep-id" });
    expect(own).toMatchObject({ store: `/data/keep-id/${id}-${id}`, defaultUser: `${id}:${id}` });
    expect(own.userNamespace?.uidMappings).toContainEqual({ containerID: id, hostID: id, size: 1 });
    expect(own.userNamespace?.gidMappings).toContainEqual({ containerID: id, hostID: id, size: 1 });
  });

  test("keep-id of a user without subordinate ids, of whom none is left for root, unless they are root there", () => {
    expect(ask("bunker-bare", "of", JSON.stringify({ kind: "keep-id" }))).toMatch(
      /keep the ids \d+:\d+ in the container's user namespace: no id is left for its root: \S+ has no subordinate ids/,
    );
    expect(ownershipOf("bunker-bare", { kind: "keep-id", uid: 0, gid: 0 })).toMatchObject({ defaultUser: "0:0" });
  });

  test("keep-id with ids", () => {
    const own = ownershipOf("bunker-test", { kind: "keep-id", uid: 7, gid: 0 });
    expect(own).toMatchObject({ store: "/data/keep-id/7-0", defaultUser: "7:0" });
    expect(own.userNamespace?.uidMappings).toContainEqual({ containerID: 7, hostID: idOf("bunker-test"), size: 1 });
    expect(own.userNamespace?.gidMappings[0]).toEqual({ containerID: 0, hostID: idOf("bunker-test"), size: 1 });
  });
});

describe("removeOwnedTree", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "owned-"));
    chownSync(directory, idOf("bunker-test"), idOf("bunker-test"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** A tree of the user's in which a container has made a directory as another user. */
  function makeTree(owner: number): string {
    const tree = join(directory, "tree");
    mkdirSync(join(tree, "private"), { recursive: true, mode: 0o755 });
    writeFileSync(join(tree, "private/file"), "");
    chownSync(tree, idOf("bunker-test"), idOf("bunker-test"));
    for (const path of ["private/file", "private"]) chownSync(join(tree, path), owner, owner);
    return tree;
  }

  test("with files of the caller's only", () => {
    const tree = makeTree(idOf("bunker-test"));
    expect(ask("bunker-test", "remove", tree)).toBe("removed");
    expect(existsSync(tree)).toBe(false);
  });

  test("with files of a subordinate id", () => {
    const [, first = 0] = (/^bunker-test:(\d+):/m.exec(readFileSync("/etc/subuid", "utf8")) ?? []).map(Number);
    const tree = makeTree(first + 32);
    expect(ask("bunker-test", "remove", tree)).toBe("removed");
    expect(existsSync(tree)).toBe(false);
  });

  test("with files of somebody else's it is refused", () => {
    const tree = makeTree(0);
    expect(ask("bunker-test", "remove", tree)).toMatch(/EACCES|EPERM/);
    expect(existsSync(join(tree, "private/file"))).toBe(true);
  });

  test("that is not there", () => {
    expect(ask("bunker-test", "remove", join(directory, "missing"))).toBe("removed");
  });
});
