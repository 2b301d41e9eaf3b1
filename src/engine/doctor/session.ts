import { existsSync, type Stats, statSync } from "node:fs";
import { shellWord } from "../../notation/shell-word.ts";
import { isBootedWithSystemd, lingers } from "../autostart/systemd-host.ts";
import type { Caller, Finding } from "./finding.ts";

/**
 * Whether containers live on when their user has logged out; loginctl(1).
 * @param root what to look at in the place of the host's `/`
 */
export function lingerFinding({ uid, name }: Caller, root = ""): Finding {
  const check = "linger";
  if (!isBootedWithSystemd(root)) {
    return { check, state: "ok", found: "no systemd here", effect: "nobody ends containers at a logout" };
  }
  if (uid === 0) return { check, state: "ok", found: "you are root", effect: "containers outlive a logout" };
  if (lingers(name, root)) {
    return { check, state: "ok", found: `${name} lingers`, effect: "containers outlive a logout" };
  }
  return {
    check,
    state: "limited",
    found: `${name} does not linger`,
    effect: "containers may end when you log out, and none starts with the machine",
    remedy: `loginctl enable-linger ${name}`,
  };
}

/**
 * The directory for what lasts as long as a login; the XDG base directory specification.
 * @param path the variable's value
 */
export function runtimeDirectoryFinding(path: string | undefined, { uid, name }: Caller): Finding {
  const check = "XDG_RUNTIME_DIR";
  const fault = runtimeDirectoryFault(path, uid);
  if (fault === undefined) {
    return { check, state: "ok", found: path ?? "", effect: "has the records of bunker runtime" };
  }
  if (uid === 0 && path === undefined) {
    return { check, state: "ok", found: fault, effect: "bunker runtime keeps its records in /run" };
  }
  const isOwnFault = path?.startsWith("/") === true;
  return {
    check,
    state: "limited",
    found: fault,
    effect: isOwnFault ? "bunker runtime does not work" : "bunker runtime keeps its records in /tmp",
    remedy: `install --directory --owner=${name} --mode=700 ${isOwnFault ? shellWord(path) : `/run/user/${uid}`}`,
  };
}

function runtimeDirectoryFault(path: string | undefined, uid: number): string | undefined {
  if (path === undefined || path === "") return "is not set";
  if (!path.startsWith("/")) return `${path} is no absolute path`;
  if (!existsSync(path)) return `${path} is not there`;
  const status: Stats = statSync(path);
  if (!status.isDirectory()) return `${path} is no directory`;
  if (status.uid !== uid) return `${path} belongs to user ${status.uid}`;
  return undefined;
}
