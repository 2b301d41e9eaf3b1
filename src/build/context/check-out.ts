/*
 * A commit of a git repository as files. No program of the host is run: isomorphic-git speaks the protocol (smart HTTP), and
 * reads packs. Only the one commit is fetched, without its history, and the same for its submodules.
 *
 * The repository is hostile. Before anything is written, all its trees are read: no name may be one that leads elsewhere or
 * is git's own, and none may come twice. So each directory in it is a directory, the files go to a directory that was made
 * for them, and no link in the repository is met on the way to a file. Modes are what git knows of them, whatever the
 * umask: 755 or 644.
 */
import * as files from "node:fs";
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as isomorphicGit from "isomorphic-git";
import { nearestName } from "../../nearest-name.ts";
import { BunkerError } from "../../sys/error.ts";
import { GitHttp, gitError } from "./git-http.ts";
import type { GitReference } from "./git-reference.ts";

type Git = typeof isomorphicGit;

/** Deeper than this no submodules of submodules are followed. */
const MOST_NESTED = 10;

/** What was checked out. */
export interface Checkout {
  /** Where the files are: the subdirectory that was asked for. */
  readonly directory: string;
  /** The digest of the commit. */
  readonly commit: string;
}

/** How a repository is checked out. */
export interface CheckoutOptions {
  /** Whether `.git` is kept. */
  readonly keepsGitDirectory: boolean;
  /** What goes into the header `authorization`; a login in the URL goes first. */
  readonly authorization: string | undefined;
}

/**
 * Checks out a commit.
 * @param directory is made, and gets the files
 * @throws BunkerError `git_failed`, `checksum_mismatch`, and the reason of `signal`
 */
export async function checkOut(
  reference: GitReference,
  directory: string,
  options: CheckoutOptions,
  signal: AbortSignal,
): Promise<Checkout> {
  const commit = await checkOutRepository(reference, directory, options, 0, signal);
  const inside = join(directory, reference.subdirectory);
  const status = reference.subdirectory === "" ? undefined : realDirectory(directory, reference.subdirectory);
  if (status === false) {
    throw gitError(shown(reference.url), `there is no directory ${JSON.stringify(reference.subdirectory)} in it`);
  }
  return { directory: inside, commit };
}

/** Whether a path leads to a directory without meeting a link. */
function realDirectory(root: string, path: string): boolean {
  const components = path.split("/");
  return components.every((_, index) => {
    const status = lstatSync(join(root, ...components.slice(0, index + 1)), { throwIfNoEntry: false });
    return status?.isDirectory() === true;
  });
}

async function checkOutRepository(
  { url, ref, commit: expected }: Pick<GitReference, "url" | "ref" | "commit">,
  directory: string,
  options: CheckoutOptions,
  depth: number,
  signal: AbortSignal,
): Promise<string> {
  const git = (await import("isomorphic-git")) as Git;
  const repository = shown(url);
  using http = new GitHttp(repository, signal);
  const login = url.username !== "" || options.authorization === undefined;
  const headers: Record<string, string> = login ? {} : { authorization: options.authorization };
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const common = { fs: files, dir: directory, cache: {} };
    await git.init({ ...common, defaultBranch: "main" });
    await git.addRemote({ ...common, remote: "origin", url: withoutLogin(url) });
    const remoteRef = await remoteName(git, http, url, ref, headers);
    const fetched = await git.fetch({
      ...common,
      http,
      headers,
      ...{ url: url.href, remoteRef, depth: 1, singleBranch: true, tags: false },
    });
    if (fetched.fetchHead === null) throw gitError(repository, "it has no commits");
    const { oid: commit } = await git.readCommit({ ...common, oid: fetched.fetchHead });
    if (expected !== undefined && !commit.startsWith(expected)) throw mismatch(repository, expected, commit);
    const entries = await readTrees(git, common, commit, repository);
    await git.checkout({ ...common, ref: commit, force: true });
    for (const { path, mode } of entries) {
      if (mode === "040000" || mode === "100755") chmodSync(join(directory, path), 0o755);
      else if (mode !== "120000" && mode !== "160000") chmodSync(join(directory, path), 0o644);
    }
    for (const submodule of submodulesOf(directory, entries, url, repository)) {
      if (depth === MOST_NESTED) throw gitError(repository, "its submodules are nested too deep");
      await checkOutRepository(submodule, join(directory, submodule.path), options, depth + 1, signal);
    }
    if (!options.keepsGitDirectory) rmSync(join(directory, ".git"), { recursive: true });
    return commit;
  } catch (cause) {
    signal.throwIfAborted();
    throw cause instanceof BunkerError ? cause : explain(cause, repository, ref);
  }
}

/** The full name of what is to be fetched: as git looks names up, tags before branches. */
async function remoteName(
  git: Git,
  http: GitHttp,
  url: URL,
  ref: string | undefined,
  headers: Record<string, string>,
): Promise<string> {
  if (ref !== undefined && /^[0-9a-f]{40}$/.test(ref)) return ref;
  if (ref?.startsWith("refs/")) return ref;
  // The library adds headers of its own to those that it is given, which must not be in other requests.
  const own = { ...headers };
  const refs = await git.listServerRefs({ http, url: url.href, headers: own, symrefs: true, protocolVersion: 2 });
  const known = new Set(refs.map((one) => one.ref));
  if (ref === undefined) return refs.find((one) => one.ref === "HEAD")?.target ?? "HEAD";
  const found = [`refs/tags/${ref}`, `refs/heads/${ref}`, ref].find((name) => known.has(name));
  if (found !== undefined) return found;
  const names = [...known].map((name) => name.replace(/^refs\/(?:heads|tags)\//, ""));
  const near = nearestName(ref, names);
  const hint = near === undefined ? undefined : `Did you mean ${near}?`;
  throw gitError(shown(url), `it has no branch or tag ${JSON.stringify(ref)}`, undefined, hint);
}

interface TreeFile {
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
}

/** All entries of a commit's trees, directories before what is in them. */
async function readTrees(
  git: Git,
  common: { readonly fs: typeof files; readonly dir: string; readonly cache: object },
  commit: string,
  repository: string,
): Promise<TreeFile[]> {
  const found: TreeFile[] = [];
  const visit = async (oid: string, above: string) => {
    const { tree } = await git.readTree({ ...common, oid });
    const names = new Set<string>();
    for (const { path: name, mode, oid: child } of tree) {
      const isBad = name === "" || name === "." || name === ".." || /[/\0]/.test(name) || /^\.git$/i.test(name);
      if (isBad || names.has(name)) throw gitError(repository, `its tree has an entry that it must not have: ${name}`);
      names.add(name);
      const path = above === "" ? name : `${above}/${name}`;
      found.push({ path, mode, oid: child });
      if (mode === "040000") await visit(child, path);
    }
  };
  await visit(commit, "");
  return found;
}

interface Submodule {
  readonly path: string;
  readonly url: URL;
  readonly ref: string;
  readonly commit: undefined;
}

/** Submodules that the commit has and that `.gitmodules` tells where to get. */
function submodulesOf(directory: string, entries: readonly TreeFile[], url: URL, repository: string): Submodule[] {
  const commits = new Map(entries.filter(({ mode }) => mode === "160000").map(({ path, oid }) => [path, oid]));
  const modules = entries.find(({ path, mode }) => path === ".gitmodules" && mode !== "120000");
  if (commits.size === 0 || modules === undefined) return [];
  const text = readFileSync(join(directory, ".gitmodules"), "utf8");
  return parseModules(text).flatMap(({ path, url: written }) => {
    const ref = commits.get(path);
    if (ref === undefined) return [];
    const target = submoduleUrl(written, url);
    if (target === undefined) {
      throw gitError(repository, `its submodule ${path} is at ${written}, which is neither http nor https`);
    }
    return [{ path, url: target, ref, commit: undefined }];
  });
}

/** The paths and URLs in a file of the form of git-config(1). */
function parseModules(text: string): { readonly path: string; readonly url: string }[] {
  const modules: { path?: string; url?: string }[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*\[submodule\s/.test(line)) modules.push({});
    const [, key, value] = /^\s*(path|url)\s*=\s*"?(.*?)"?\s*$/.exec(line) ?? [];
    const module = modules.at(-1);
    if (module === undefined || value === undefined) continue;
    if (key === "path") module.path = value.replace(/\/+$/, "");
    else module.url = value;
  }
  return modules.flatMap(({ path, url }) => (path === undefined || url === undefined ? [] : [{ path, url }]));
}

/** Where a submodule is: `../other` is relative to the repository. A login stays where the host is the same. */
function submoduleUrl(written: string, base: URL): URL | undefined {
  const isRelative = /^\.\.?\//.test(written);
  const parent = new URL(base);
  parent.pathname = `${base.pathname.replace(/\/+$/, "")}/`;
  const scp = /^git@([^/:]+):(?!\/\/)(.*)$/.exec(written);
  const text = isRelative ? new URL(written, parent).href : scp === null ? written : `https://${scp[1]}/${scp[2]}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  if (url.host === base.host && url.username === "") {
    url.username = base.username;
    url.password = base.password;
  }
  return url;
}

function withoutLogin(url: URL): string {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare.href;
}

/** A URL for people. */
function shown(url: URL): string {
  return withoutLogin(url);
}

function mismatch(repository: string, expected: string, actual: string): BunkerError {
  return new BunkerError({
    code: "checksum_mismatch",
    operation: "verify the commit of",
    object: repository,
    reason: `it is ${actual} and not ${expected}`,
    exitStatus: 1,
  });
}

/** Makes of the library's errors what people are told. */
function explain(cause: unknown, repository: string, ref: string | undefined): BunkerError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const message = cause instanceof Error ? cause.message : String(cause);
  if (code === "HttpError") {
    const status = /\d{3}/.exec(message)?.[0] ?? message;
    const isDenied = status === "401" || status === "403";
    const hint = isDenied ? "Give a login in the URL, or the secret GIT_AUTH_TOKEN." : undefined;
    return gitError(repository, `the server answered ${status}`, cause, hint);
  }
  if (code === "SmartHttpError") return gitError(repository, "what answers there is no git repository", cause);
  if (code === "NotFoundError" && ref !== undefined) return gitError(repository, `it has no ${ref}`, cause);
  return gitError(repository, message, cause);
}
