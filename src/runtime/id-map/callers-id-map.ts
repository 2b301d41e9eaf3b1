import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { findHelper } from "./find-helper.ts";
import { type UserIdMap, userIdMap } from "./user-id-map.ts";

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** The id map of the calling user's own user namespaces, from this host's files and helpers; see `userIdMap`. */
export function callersIdMap(): UserIdMap {
  const helpers = [findHelper("newuidmap"), findHelper("newgidmap")];
  const unusable = helpers.find((helper) => helper.kind === "unusable");
  return userIdMap({
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    userName: userName(),
    subuid: readIfThere("/etc/subuid"),
    subgid: readIfThere("/etc/subgid"),
    helperProblem: unusable?.problem,
  });
}
