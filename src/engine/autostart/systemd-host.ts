import { existsSync } from "node:fs";

/**
 * Whether the host was started by systemd; sd_booted(3).
 * @param root what to look at in the place of the host's `/`
 */
export function isBootedWithSystemd(root = ""): boolean {
  return existsSync(`${root}/run/systemd/system`);
}

/**
 * Whether a user's systemd runs from the start of the machine on, and after they have logged out; `enable-linger` of
 * loginctl(1).
 * @param user the login name
 * @param root what to look at in the place of the host's `/`
 */
export function lingers(user: string, root = ""): boolean {
  return existsSync(`${root}/var/lib/systemd/linger/${user}`);
}
