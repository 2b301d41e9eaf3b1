/** `.dockerignore`, and the one that belongs to a Dockerfile of another name: `NAME.dockerignore`, which goes first. */
import { BunkerError } from "../../sys/error.ts";
import { cleanPath } from "../files/ignore-patterns.ts";

/**
 * Reads what is to be left out of a build context.
 * @param read a file by its path; undefined when there is none
 * @param dockerfile the Dockerfile's path; undefined for one that is no file
 * @param usual the path of `.dockerignore`
 * @returns the patterns of the first of both files that is there
 * @throws what `read` throws
 */
export function readIgnoreFile(
  read: (path: string) => Buffer | undefined,
  dockerfile: string | undefined,
  usual: string,
): readonly string[] {
  const own = dockerfile === undefined ? undefined : read(`${dockerfile}.dockerignore`);
  const content = own ?? read(usual);
  return content === undefined ? [] : parseIgnoreFile(content.toString("utf8"));
}

/**
 * Reads the one that the user has named instead.
 * @throws BunkerError `ignore_file_not_found`, and what `read` throws
 */
export function readNamedIgnoreFile(read: (path: string) => Buffer | undefined, path: string): readonly string[] {
  const content = read(path);
  if (content !== undefined) return parseIgnoreFile(content.toString("utf8"));
  throw new BunkerError({
    code: "ignore_file_not_found",
    operation: "read the ignore file",
    object: path,
    reason: "there is no such file",
    exitStatus: 1,
  });
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
