import { encodeText } from "./byte-string.ts";
import { Errno } from "./errno.ts";
import { unlinkAt } from "./file.ts";
import { AT_FDCWD } from "./open.ts";
import { check } from "./system-call.ts";

/**
 * Removes a file; nothing happens when it is not there.
 * @throws BunkerError `system_call_failed` for anything else
 */
export function unlinkIfThere(path: string): void {
  const result = unlinkAt(AT_FDCWD, encodeText(path));
  if (result !== -Errno.ENOENT) check(result, "remove", path);
}
