import type { ByteString } from "./byte-string.ts";
import { changeMode, removeAttribute, statusOf } from "./file.ts";
import { FileMode } from "./stat.ts";

/**
 * Takes from a directory what all that is made in it would inherit: the set-group-id bit, and a default access control
 * list, which also counts instead of the umask. What may not be taken stays, and so does what does not exist here.
 * @param directory open for reading
 */
export function stopInheritance(directory: number): void {
  removeAttribute(directory, "system.posix_acl_default" as ByteString);
  const status = statusOf(directory);
  if (typeof status === "number" || (status.mode & FileMode.setGroupId) === 0) return;
  changeMode(directory, status.mode & FileMode.permissions & ~FileMode.setGroupId);
}
