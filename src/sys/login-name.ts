import { passwordEntry } from "./password-entry.ts";

/**
 * The login name of a user. `os.userInfo()` of Bun only repeats $USER, so it is looked up in /etc/passwd; $USER counts
 * for users that are known elsewhere.
 * @returns undefined when nobody knows
 */
export function loginName(uid: number): string | undefined {
  return passwordEntry(uid)?.name ?? process.env["USER"];
}
