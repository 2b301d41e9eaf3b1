import { describe, expect, test } from "bun:test";
import { lookUpUser } from "../../../../src/engine/specification/user-lookup.ts";

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
alice:x:1000:1001:Alice:/home/alice:/bin/sh
twin:x:1000:1002:::/bin/sh
homeless:x:1003:1003:::/bin/sh
broken
worse:x:many:1:x:/:/bin/sh
5000:x:1004:1004::/numeric:/bin/sh
huge:x:4294967294:1::/:/bin/sh
`;
const group = `root:x:0:
adm:x:4:alice,root
audio:x:29:alice
audio2:x:29:alice
staff:x:1001:alice
nobody
bad:x:y:alice
`;

function lookUp(user: string, additionalGroups: readonly string[] = []) {
  return lookUpUser(user, passwd, group, additionalGroups);
}

describe("lookUpUser", () => {
  test.each([
    ["", 0, 0, "/root", [4]],
    ["root", 0, 0, "/root", [4]],
    ["0", 0, 0, "/root", [4]],
    ["alice", 1000, 1001, "/home/alice", [4, 29]],
    ["1000", 1000, 1001, "/home/alice", [4, 29]],
    ["twin", 1000, 1002, "/", []],
    ["homeless", 1003, 1003, "/", []],
    ["alice:", 1000, 1001, "/home/alice", [4, 29]],
    ["alice:audio", 1000, 29, "/home/alice", []],
    ["alice:77", 1000, 77, "/home/alice", []],
    [":audio", 0, 29, "/root", []],
    ["4242", 4242, 0, "/", []],
    ["4242:4343", 4242, 4343, "/", []],
    // Digits are always an id, even where a user is called so.
    ["5000", 5000, 0, "/", []],
    ["2147483647", 2147483647, 0, "/", []],
  ])("%j", (user, uid, gid, home, memberGids) => {
    expect(lookUp(user)).toEqual({ uid, gid, home, memberGids, addedGids: [] });
  });

  test("--group-add takes names and ids", () => {
    expect(lookUp("alice:0", ["audio", "12345", "4"])).toMatchObject({
      gid: 0,
      memberGids: [],
      addedGids: [29, 12345, 4],
    });
  });

  test("an image without any files has a root", () => {
    expect(lookUpUser("", "", "", [])).toEqual({ uid: 0, gid: 0, home: "/", memberGids: [], addedGids: [] });
  });

  test.each([
    ["x", [], "user_not_found", "unable to find user x: no matching entries in passwd file"],
    ["broken", [], "user_not_found", "unable to find user broken: no matching entries in passwd file"],
    ["worse", [], "user_not_found", "unable to find user worse: no matching entries in passwd file"],
    ["-1", [], "user_not_found", "unable to find user -1: no matching entries in passwd file"],
    ["alice:x", [], "group_not_found", "unable to find group x: no matching entries in group file"],
    ["alice:bad", [], "group_not_found", "unable to find group bad: no matching entries in group file"],
    ["alice", ["wheel"], "group_not_found", "unable to find group wheel: no matching entries in group file"],
    ["2147483648", [], "user_not_found", "unable to find user 2147483648: ids must be in the range 0-2147483647"],
    ["huge", [], "user_not_found", "unable to find user huge: ids must be in the range 0-2147483647"],
    ["0:2147483648", [], "group_not_found", "unable to find group 2147483648: ids must be in the range 0-2147483647"],
  ])("%j with groups %j", (user, groups, code, message) => {
    expect(() => lookUp(user, groups)).toThrow(expect.objectContaining({ code, message, exitStatus: 125 }));
  });
});
