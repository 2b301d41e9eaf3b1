import { showName } from "../../image/tar/tar-error.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";

const hints: Readonly<Record<number, string>> = {
  [Errno.ENOSPC]: "Free some space there, or choose another place.",
  [Errno.EDQUOT]: "Free some space there, or choose another place.",
  [Errno.EBUSY]: "Something is mounted there, so it cannot be replaced.",
  [Errno.EROFS]: "What is mounted there is read-only.",
};

/** That something could not be copied, or where it is wanted. */
export function copyError(details: {
  readonly operation: string;
  readonly object: string;
  readonly errno?: number;
  readonly reason?: string;
}): BunkerError {
  const { errno } = details;
  const hint = errno === undefined ? undefined : hints[errno];
  const isFull = errno === Errno.ENOSPC || errno === Errno.EDQUOT;
  return new BunkerError({ code: isFull ? "no_space" : "copy_failed", exitStatus: 1, ...details, hint });
}

/**
 * Turns the kernel's answer to a step of a copy into an error that names the file.
 * @param operation in the infinitive: `create`
 * @returns `result`, when it is not negative
 * @throws BunkerError `no_space`, `copy_failed`
 */
export function checkCopy(result: number, operation: string, path: ByteString): number {
  if (result >= 0) return result;
  throw copyError({ operation, object: showName(path), errno: -result });
}
