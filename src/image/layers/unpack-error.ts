import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { showName } from "../tar/tar-error.ts";

/**
 * Turns the kernel's answer to a step of unpacking into an error that names the entry.
 * @param result of a system call
 * @param operation in the infinitive: `create`
 * @returns `result`, when it is not negative
 * @throws BunkerError `no_space`, `system_call_failed`
 */
export function checkEntry(result: number, operation: string, path: ByteString): number {
  if (result >= 0) return result;
  const isFull = result === -Errno.ENOSPC || result === -Errno.EDQUOT;
  throw new BunkerError({
    code: isFull ? "no_space" : "system_call_failed",
    operation,
    object: showName(path),
    errno: -result,
    hint: isFull ? "Free some space, or some inodes, on the file system of the image store." : undefined,
  });
}

/** The same for changes of the owner, which fail when an id is not in the user namespace. */
export function checkOwner(result: number, path: ByteString, uid: number, gid: number): void {
  if (result !== -Errno.EINVAL) {
    checkEntry(result, "change the owner of", path);
    return;
  }
  throw new BunkerError({
    code: "id_not_mapped",
    operation: "change the owner of",
    object: showName(path),
    reason: `user ${uid} or group ${gid} is outside of the ids that are available`,
    hint: "Give the user more subordinate ids in /etc/subuid and /etc/subgid.",
  });
}

/** An entry that must not be unpacked. */
export function refusedEntry(path: ByteString, reason: string): BunkerError {
  return new BunkerError({ code: "layer_refused", operation: "unpack", object: showName(path), reason });
}
