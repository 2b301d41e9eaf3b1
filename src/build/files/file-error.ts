import { showName } from "../../image/tar/tar-error.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";

/** That files could not be read or written. Paths are shown from the root of what they lie in. */
export function fileError(details: {
  readonly operation: string;
  readonly path: ByteString;
  readonly errno?: number;
  readonly reason?: string;
  readonly hint?: string;
}): BunkerError {
  const { operation, path, errno, reason, hint } = details;
  const isFull = errno === Errno.ENOSPC || errno === Errno.EDQUOT;
  return new BunkerError({
    code: isFull ? "no_space" : "copy_failed",
    operation,
    object: showName(`/${path.replace(/^\/+/, "")}` as ByteString),
    errno,
    reason,
    hint: hint ?? (isFull ? "Free some space, or some inodes, on the file system of the image store." : undefined),
    exitStatus: 1,
  });
}

/**
 * Turns the kernel's answer into an error that names the file.
 * @param operation in the infinitive: `create`
 * @returns `result`, when it is not negative
 * @throws BunkerError `no_space`, `copy_failed`
 */
export function checkFile(result: number, operation: string, path: ByteString): number {
  if (result >= 0) return result;
  throw fileError({ operation, path, errno: -result });
}
