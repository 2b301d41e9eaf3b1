import { existsSync } from "node:fs";
import type { Attempt } from "../../mount/union-support.ts";
import { shellWord } from "../../notation/shell-word.ts";
import type { HelperName, HelperSearch } from "../../runtime/id-map/find-helper.ts";
import { mappedCount } from "../../runtime/id-map/id-mapping.ts";
import type { UserIdMap } from "../../runtime/id-map/user-id-map.ts";
import { isRestrictedByAppArmor, permittingSetting } from "../../runtime/user-namespace-refusal.ts";
import { BunkerError } from "../../sys/error.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { Caller, Finding } from "./finding.ts";

/** Package managers with the package that has newuidmap. */
const INSTALLATIONS = [
  ["/usr/bin/apt-get", "apt-get install uidmap"],
  ["/usr/bin/dnf", "dnf install shadow-utils"],
  ["/usr/bin/zypper", "zypper install shadow"],
  ["/usr/bin/pacman", "pacman -S shadow"],
  ["/sbin/apk", "apk add shadow-uidmap"],
] as const;

/**
 * Whether the caller can be root of namespaces.
 * @param attempt what has come of trying it
 * @param root what to read in the place of the host's `/`
 */
export function userNamespaceFinding(attempt: Attempt, { isPrivileged }: Caller, root = ""): Finding {
  const check = "user namespaces";
  if (!attempt.works) {
    return {
      check,
      state: "failed",
      found: attempt.failure,
      effect: "containers do not run",
      remedy: permittingSetting(root),
    };
  }
  if (isPrivileged) return { check, state: "ok", found: "you are root", effect: "containers do without" };
  const most = readIfThere(`${root}/proc/sys/user/max_user_namespaces`)?.trim();
  const found = most === undefined ? "permitted" : `permitted, at most ${most} for each user`;
  return { check, state: "ok", found, effect: "each container has one" };
}

/**
 * Whether AppArmor takes the rights in user namespaces away; Ubuntu's restriction of unprivileged ones.
 * @param attempt what has come of trying to use one
 * @param executable the path of this program
 * @param root what to read in the place of the host's `/`
 */
export function appArmorFinding(attempt: Attempt, { isPrivileged }: Caller, executable: string, root = ""): Finding {
  const check = "AppArmor";
  const label = appArmorLabel(root);
  const confinement = label === undefined ? "" : `; this process is ${label}`;
  if (!isRestrictedByAppArmor(root)) {
    return { check, state: "ok", found: `does not restrict user namespaces${confinement}`, effect: "nothing to do" };
  }
  const found = `restricts user namespaces${confinement}`;
  if (attempt.works) {
    return { check, state: "ok", found, effect: isPrivileged ? "does not concern root" : "but not Bunker's" };
  }
  const profile = ["abi <abi/4.0>,", `profile bunker "${executable}" flags=(unconfined) {`, "  userns,", "}"];
  const words = profile.map(shellWord).join(" ");
  return {
    check,
    state: "failed",
    found,
    effect: "containers do not run until a profile permits them",
    remedy: `printf '%s\\n' ${words} >/etc/apparmor.d/bunker && apparmor_parser -r /etc/apparmor.d/bunker`,
  };
}

function appArmorLabel(root: string): string | undefined {
  const own = readIfThere(`${root}/proc/self/attr/apparmor/current`)?.trim();
  return own === "" ? undefined : own;
}

/**
 * The subordinate ids of the caller.
 * @param find gives their id map, or throws what is wrong with the files
 */
export function subordinateIdsFinding(find: () => UserIdMap, { isPrivileged }: Caller): Finding {
  const check = "subordinate ids";
  if (isPrivileged) return { check, state: "ok", found: "you are root", effect: "containers do without" };
  try {
    const map = find();
    if (map.kind === "full") {
      const [users, groups] = [map.uidMappings, map.gidMappings].map((mappings) => mappedCount(mappings) - 1);
      const found = users === groups ? `${users} users and groups` : `${users} users, ${groups} groups`;
      const [warning] = map.warnings;
      if (warning !== undefined) return { check, state: "limited", found, effect: warning };
      return { check, state: "ok", found, effect: "containers have users of their own" };
    }
    const found = map.remedy === undefined ? "cannot be mapped" : map.reason.replace(/; an administrator .*/, "");
    const effect = "containers have a single id: their root is you, and there are no other users";
    return { check, state: "limited", found, effect, remedy: map.remedy };
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    const effect = `containers do not run until it is corrected${error.hint === undefined ? "" : `: ${error.hint}`}`;
    return { check, state: "failed", found: error.message, effect };
  }
}

/**
 * Whether a helper that writes id maps can do so.
 * @param root where to look for package managers in the place of the host's `/`
 */
export function helperFinding(name: HelperName, search: HelperSearch, { isPrivileged }: Caller, root = ""): Finding {
  if (search.kind === "usable") return { check: name, state: "ok", found: search.path, effect: "maps subordinate ids" };
  if (isPrivileged) return { check: name, state: "ok", found: search.fault, effect: "root does without" };
  return {
    check: name,
    state: "limited",
    found: search.fault,
    effect: "subordinate ids cannot be used: containers have a single id",
    remedy: search.isMissing ? installation(root) : search.remedy,
  };
}

function installation(root: string): string | undefined {
  return INSTALLATIONS.find(([manager]) => existsSync(root + manager))?.[1];
}
