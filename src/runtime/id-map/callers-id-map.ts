import { loginName } from "../../sys/login-name.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { findHelper } from "./find-helper.ts";
import { type UserIdMap, userIdMap } from "./user-id-map.ts";

/** The id map of the calling user's own user namespaces, from this host's files and helpers; see `userIdMap`. */
export function callersIdMap(): UserIdMap {
  const uid = process.geteuid?.() ?? 0;
  const helpers = [findHelper("newuidmap"), findHelper("newgidmap")];
  const unusable = helpers.find((helper) => helper.kind === "unusable");
  return userIdMap({
    uid,
    gid: process.getegid?.() ?? 0,
    userName: loginName(uid),
    subuid: readIfThere("/etc/subuid"),
    subgid: readIfThere("/etc/subgid"),
    helperProblem: unusable?.problem,
  });
}
