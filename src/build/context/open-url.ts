import { join } from "node:path";
import * as v from "valibot";
import { digestSchema } from "../../image/digest.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileSource } from "../files/file-source.ts";
import { downloadName } from "./download-name.ts";
import { type GitReference, parseGitReference } from "./git-reference.ts";
import type { ContextOptions } from "./open-context.ts";

/** What ADD takes from elsewhere. */
export type UrlSource =
  | {
      readonly kind: "file";
      readonly url: URL;
      readonly checksum: v.InferOutput<typeof digestSchema> | undefined;
    }
  | { readonly kind: "repository"; readonly reference: GitReference; readonly keepsGitDirectory: boolean };

/** What an ADD says of all its sources. */
export interface AddOptions {
  /** The value of `--checksum`. */
  readonly checksum: string | undefined;
  readonly keepsGitDirectory: boolean;
}

const WHOLE_COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * Reads a source of ADD as one that is elsewhere.
 * @returns undefined for a path of the context
 * @throws BunkerError `invalid_git_reference`, `invalid_checksum`
 */
export function parseUrlSource(text: string, { checksum, keepsGitDirectory }: AddOptions): UrlSource | undefined {
  const reference = parseGitReference(text);
  if (reference !== undefined) {
    if (checksum !== undefined && !/^[0-9a-f]{7,64}$/.test(checksum)) throw invalidChecksum(checksum, "a commit");
    return {
      kind: "repository",
      reference: { ...reference, commit: checksum ?? reference.commit },
      keepsGitDirectory: keepsGitDirectory || reference.keepsGitDirectory === true,
    };
  }
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    if (checksum !== undefined) throw invalidChecksum(checksum, "what is downloaded; files of the context have none");
    return undefined;
  }
  if (checksum === undefined) return { kind: "file", url: new URL(text), checksum: undefined };
  const parsed = v.safeParse(digestSchema, checksum);
  if (!parsed.success) throw invalidChecksum(checksum, "a file: sha256: or sha512: and hexadecimal digits");
  return { kind: "file", url: new URL(text), checksum: parsed.output };
}

/** What a source is the same by, without asking for it; undefined when it may be another each time. */
export function urlIdentity(source: UrlSource): string | undefined {
  if (source.kind === "file") return source.checksum;
  const { ref, commit, subdirectory } = source.reference;
  const whole = [commit, ref].find((each) => each !== undefined && WHOLE_COMMIT.test(each));
  return whole === undefined ? undefined : repositoryIdentity(whole, subdirectory, source.keepsGitDirectory);
}

/** The paths of what is meant in the files of a source, as patterns. */
export function urlPaths(source: UrlSource): readonly string[] {
  return source.kind === "repository" ? ["."] : [downloadName(source.url).replace(/[*?[\]\\]/g, "\\$&")];
}

/**
 * Gets what ADD takes from elsewhere.
 * @throws BunkerError as `downloadFile` and `checkOut`
 */
export async function openUrl(
  source: UrlSource,
  { makeStaging, gitAuthorization, signal }: Pick<ContextOptions, "makeStaging" | "gitAuthorization" | "signal">,
): Promise<FileSource> {
  const staging = makeStaging();
  if (source.kind === "file") {
    const { downloadFile } = await import("./download.ts");
    await downloadFile(source.url, staging, source.checksum, signal);
    return { kind: "directory", path: staging, ignored: [] };
  }
  const { reference, keepsGitDirectory } = source;
  const authorization = gitAuthorization(reference.url.host);
  const { checkOut } = await import("./check-out.ts");
  const made = await checkOut(reference, join(staging, "files"), { keepsGitDirectory, authorization }, signal);
  const identity = repositoryIdentity(made.commit, reference.subdirectory, keepsGitDirectory);
  return { kind: "directory", path: made.directory, ignored: [], identity };
}

/** A commit says what its files are; `.git` beside them is never twice the same, byte by byte. */
export function repositoryIdentity(commit: string, subdirectory: string, keepsGitDirectory: boolean): string {
  return `git ${commit} ${subdirectory} ${keepsGitDirectory}`;
}

function invalidChecksum(checksum: string, ofWhat: string): BunkerError {
  return new BunkerError({
    code: "invalid_checksum",
    operation: "read the checksum",
    object: JSON.stringify(checksum),
    reason: `it has to be that of ${ofWhat}`,
    exitStatus: 1,
  });
}
