import { readFileSync } from "node:fs";

/**
 * The login name of a user. `os.userInfo()` of Bun only repeats $USER, so it is looked up in /etc/passwd; $USER counts
 * for users that are known elsewhere (LDAP, systemd-homed).
 * @returns undefined when nobody knows
 */
export function loginName(uid: number): string | undefined {
  return nameInPasswd(uid) ?? process.env["USER"];
}

function nameInPasswd(uid: number): string | undefined {
  try {
    for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
      const [name, , id] = line.split(":");
      if (id === String(uid)) return name;
    }
  } catch {
    // No such file: a minimal system.
  }
  return undefined;
}
