import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { BunkerError, errnoOf } from "../../sys/error.ts";

/** Where a secret comes from that a RUN may ask for: `--secret`. */
export interface SecretSource {
  readonly id: string;
  readonly from:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "environment"; readonly name: string };
}

/** As BuildKit has it: a secret is no way to give files to a build. */
const LARGEST_SECRET = 500 << 10;

/**
 * Reads a secret.
 * @param environment of the caller
 * @throws BunkerError `secret_unreadable`
 */
export function readSecret(
  { id, from }: SecretSource,
  environment: Readonly<Record<string, string | undefined>>,
): Buffer {
  if (from.kind === "environment") {
    const value = environment[from.name];
    if (value === undefined) throw unreadable(id, { reason: `the environment has no ${from.name}` });
    return checkSize(Buffer.from(value), id);
  }
  let file: number;
  try {
    file = openSync(from.path, "r");
  } catch (cause) {
    throw unreadable(id, { reason: from.path, errno: errnoOf(cause) }, cause);
  }
  try {
    const status = fstatSync(file);
    if (status.isDirectory()) throw unreadable(id, { reason: `${from.path} is a directory` });
    if (status.isFile() && status.size > LARGEST_SECRET) throw tooLarge(id);
    return checkSize(readFileSync(file), id);
  } finally {
    closeSync(file);
  }
}

function checkSize(value: Buffer, id: string): Buffer {
  if (value.length > LARGEST_SECRET) throw tooLarge(id);
  return value;
}

function tooLarge(id: string): BunkerError {
  return unreadable(id, { reason: "it is larger than 500 KiB" });
}

function unreadable(
  id: string,
  why: { readonly reason: string; readonly errno?: number | undefined },
  cause?: unknown,
): BunkerError {
  const details = { code: "secret_unreadable", operation: "read secret", object: id, exitStatus: 1, ...why };
  return new BunkerError(details, { cause });
}
