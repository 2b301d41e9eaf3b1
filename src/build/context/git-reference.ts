/*
 * What names a git repository: in `ADD`, as a build context, and in `--build-context`. As BuildKit reads it: a URL whose
 * path ends with `.git`, or `git@HOST:PATH`, with `#REF:SUBDIRECTORY` behind it, or `?ref=…&subdir=…`; `github.com/…` is
 * short for https.
 */
import { BunkerError } from "../../sys/error.ts";

/** A commit of a repository, and what of it is meant. */
export interface GitReference {
  /** http or https. */
  readonly url: URL;
  /** A branch, a tag, a full name (`refs/…`) or a commit's whole digest; undefined for what the server has as HEAD. */
  readonly ref: string | undefined;
  /** A directory of it, relative to its root; empty for all. */
  readonly subdirectory: string;
  /** What the commit must be: its digest, or the beginning of it. */
  readonly commit: string | undefined;
  /** Whether `.git` is kept, where the reference says so. */
  readonly keepsGitDirectory: boolean | undefined;
}

const QUERY_KEYS = ["ref", "branch", "tag", "subdir", "checksum", "commit", "keep-git-dir", "submodules"];

/**
 * Reads a name as that of a repository.
 * @returns undefined for what is none
 * @throws BunkerError `invalid_git_reference`, also for the transports that are not spoken
 */
export function parseGitReference(text: string): GitReference | undefined {
  const whole = /^github\.com\//.test(text) ? `https://${text}` : text;
  if (/^(?:ssh|git):\/\//.test(whole) || /^[\w.-]+@[^/:]+:/.test(whole)) {
    const shown = whole.replace(/#.*$/s, "");
    const reason = whole.startsWith("git://")
      ? "the git protocol without encryption is not spoken"
      : "git over ssh is not spoken, since no program of the host is run";
    throw invalid(shown, reason, `Name it by https: ${httpsForm(shown)}.`);
  }
  if (!/^https?:\/\//.test(whole) || !URL.canParse(whole)) return undefined;
  const url = new URL(whole);
  const isShort = whole !== text;
  if (!isShort && !url.pathname.endsWith(".git")) return undefined;
  const fragment = decodeURIComponent(url.hash.slice(1));
  const query = url.searchParams;
  for (const key of query.keys()) if (!QUERY_KEYS.includes(key)) throw invalid(text, `there is no field ${key}`);
  if (fragment !== "" && query.size > 0) throw invalid(text, "give a fragment or a query, not both");
  const colon = fragment.indexOf(":");
  const branch = query.get("branch");
  const tag = query.get("tag");
  const named = [
    query.get("ref"),
    branch === null ? null : `refs/heads/${branch.replace(/^refs\/heads\//, "")}`,
    tag === null ? null : `refs/tags/${tag.replace(/^refs\/tags\//, "")}`,
    (colon < 0 ? fragment : fragment.slice(0, colon)) || null,
  ].filter((ref) => ref !== null);
  if (named.length > 1) throw invalid(text, "give one of ref, branch and tag");
  const commit = query.get("checksum") ?? query.get("commit") ?? undefined;
  if (commit !== undefined && !/^[0-9a-f]{7,64}$/.test(commit)) {
    throw invalid(text, "a checksum is the digest of a commit, or at least 7 digits of it");
  }
  const bare = new URL(url);
  bare.hash = "";
  bare.search = "";
  return {
    url: bare,
    ref: named[0],
    subdirectory: normalSubdirectory(query.get("subdir") ?? (colon < 0 ? "" : fragment.slice(colon + 1)), text),
    commit,
    keepsGitDirectory: truth(query.get("keep-git-dir"), text),
  };
}

function normalSubdirectory(path: string, text: string): string {
  const components = path.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..")) throw invalid(text, "the directory leads out of the repository");
  return components.join("/");
}

function truth(value: string | null, text: string): boolean | undefined {
  if (value === null) return undefined;
  if (value === "" || value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
  throw invalid(text, "keep-git-dir is true or false");
}

function httpsForm(text: string): string {
  const scp = /^(?:[\w.-]+@)?([^/:]+):(?!\/\/)(.*)$/s.exec(text);
  if (scp !== null) return `https://${scp[1]}/${scp[2]}`;
  return text.replace(/^(?:ssh|git):\/\/(?:[^@/]*@)?/, "https://");
}

function invalid(text: string, reason: string, hint?: string): BunkerError {
  return new BunkerError({
    code: "invalid_git_reference",
    operation: "read the name of the repository",
    object: text,
    reason,
    hint,
    exitStatus: 1,
  });
}
