import { readIfThere } from "../../sys/read-if-there.ts";
import type { Caller, Finding } from "./finding.ts";

/** The lowest port that everybody may bind, unless set otherwise. */
const USUAL_START = 1024;

/**
 * Which ports of the host containers can be published at; ip_unprivileged_port_start of ip-sysctl.
 * @param root what to read in the place of the host's `/`
 */
export function portsFinding({ uid }: Caller, root = ""): Finding {
  const check = "ports below 1024";
  if (uid === 0) return { check, state: "ok", found: "you are root", effect: "all ports can be published" };
  const text = readIfThere(`${root}/proc/sys/net/ipv4/ip_unprivileged_port_start`);
  const start = text === undefined ? USUAL_START : Number(text);
  if (start <= 80) return { check, state: "ok", found: `permitted from ${start} on`, effect: "they can be published" };
  return {
    check,
    state: "limited",
    found: start < USUAL_START ? `permitted from ${start} on` : "not permitted",
    effect: `ports of the host below ${start} cannot be published`,
    remedy: "sysctl -w net.ipv4.ip_unprivileged_port_start=80",
  };
}

/**
 * Whether a container's pings reach the world: Bunker sends them by ping sockets; ping_group_range of icmp(7).
 * @param root what to read in the place of the host's `/`
 */
export function pingFinding({ gids }: Caller, root = ""): Finding {
  const check = "ping";
  const [first = 1, last = 0] =
    readIfThere(`${root}/proc/sys/net/ipv4/ping_group_range`)?.trim().split(/\s+/).map(Number) ?? [];
  if (gids.some((gid) => gid >= first && gid <= last)) {
    return { check, state: "ok", found: `permitted to groups ${first} to ${last}`, effect: "containers can ping" };
  }
  return {
    check,
    state: "limited",
    found: first > last ? "permitted to nobody" : `permitted to groups ${first} to ${last}, none of them yours`,
    effect: "containers cannot ping anything but their gateway",
    remedy: 'sysctl -w net.ipv4.ping_group_range="0 2147483647"',
  };
}
