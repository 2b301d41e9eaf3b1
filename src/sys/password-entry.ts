import { readIfThere } from "./read-if-there.ts";

/** What passwd(5) says of a user, as far as it matters here. */
interface PasswordEntry {
  readonly name: string;
  /** The home directory. */
  readonly home: string;
}

/**
 * A user's entry in /etc/passwd.
 * @returns undefined when there is none: a minimal system, or a user that is known elsewhere (LDAP, systemd-homed)
 */
export function passwordEntry(uid: number): PasswordEntry | undefined {
  return findPasswordEntry(readIfThere("/etc/passwd") ?? "", uid);
}

/** The same of a file that has been read. */
export function findPasswordEntry(passwd: string, uid: number): PasswordEntry | undefined {
  for (const line of passwd.split("\n")) {
    const [name = "", , id, , , home = ""] = line.split(":");
    if (id === String(uid)) return { name, home };
  }
  return undefined;
}
