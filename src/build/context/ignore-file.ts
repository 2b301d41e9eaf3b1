/** `.dockerignore`, and the one that belongs to a Dockerfile of another name: `NAME.dockerignore`, which goes first. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { cleanPath } from "../files/ignore-patterns.ts";

const LARGEST_FILE = 16 << 20;

/** The patterns that were found, and where. */
export interface IgnoreFile {
  /** Its path; undefined when there is none. */
  readonly path: string | undefined;
  readonly patterns: readonly string[];
}

/**
 * Reads what is to be left out of a build context.
 * @param context the context's directory
 * @param dockerfile the Dockerfile's path
 * @throws BunkerError `ignore_file_unreadable`
 */
export function readIgnoreFile(context: string, dockerfile: string | undefined): IgnoreFile {
  const candidates = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    join(context, ".dockerignore"),
  ];
  for (const path of candidates) {
    try {
      const bytes = readFileSync(path);
      if (bytes.length > LARGEST_FILE) throw unreadable(path, { reason: "it is larger than 16 MiB" });
      return { path, patterns: parseIgnoreFile(bytes.toString("utf8")) };
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === undefined) throw cause;
      if (errno !== Errno.ENOENT && errno !== Errno.ENOTDIR) throw unreadable(path, { errno });
    }
  }
  return { path: undefined, patterns: [] };
}

function unreadable(path: string, why: { readonly errno?: number; readonly reason?: string }): BunkerError {
  return new BunkerError({ code: "ignore_file_unreadable", operation: "read", object: path, exitStatus: 1, ...why });
}

/** The patterns in the text of such a file, in their order: without comments, in the form that paths are compared in. */
export function parseIgnoreFile(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => (line.startsWith("!") ? `!${cleanPath(line.slice(1))}` : cleanPath(line)));
}
