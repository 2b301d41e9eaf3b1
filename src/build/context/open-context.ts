/*
 * Where a build's files come from: a directory, standard input, an archive in a file or on the web, a git repository.
 * Whatever is no directory yet is made one in the build's staging directory. What has come from somebody else is only read
 * within itself: a link in it to /etc/passwd names a file of the context, or nothing.
 *
 * A Dockerfile alone, in standard input or on the web, has no files.
 */
import { createReadStream, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { BunkerError } from "../../sys/error.ts";
import type { FileSource } from "../files/file-source.ts";
import { parseGitReference } from "./git-reference.ts";
import { readIgnoreFile, readNamedIgnoreFile } from "./ignore-file.ts";
import { repositoryIdentity } from "./open-url.ts";
import { readInRoot, readOwnFile } from "./read-in-root.ts";

/** The names that a Dockerfile has when nobody names it. */
const USUAL_DOCKERFILES = ["Dockerfile", "dockerfile", "Containerfile"];

/** What a context is opened with. */
export interface ContextOptions {
  /** A path, a URL, or `-`. */
  readonly context: string;
  /** A path, `-` for standard input, or undefined for what is in the context. */
  readonly dockerfile: string | undefined;
  /** The path of what is read instead of `.dockerignore`. */
  readonly ignoreFile: string | undefined;
  /** Makes an empty directory that goes with the build. */
  readonly makeStaging: () => string;
  /** Whether a context out of a repository has its `.git`, unless the URL says it. */
  readonly keepsGitDirectory: boolean;
  /** The header `authorization` for a git server. */
  readonly gitAuthorization: (host: string) => string | undefined;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What every context is opened with. */
type Opening = Omit<ContextOptions, "dockerfile" | "ignoreFile">;

/** An open context. */
export interface OpenContext {
  readonly files: FileSource;
  readonly dockerfile: { readonly name: string; readonly content: Buffer };
}

/** A directory, and how small files in it are read. */
interface Place {
  readonly directory: string;
  /** What its files are the same by; undefined when only their content says it. */
  readonly identity: string | undefined;
  /** Whether the content is somebody else's. */
  readonly isForeign: boolean;
  /** What has come instead of files. */
  readonly dockerfile: Buffer | undefined;
}

/**
 * Opens a build's context and its Dockerfile.
 * @throws BunkerError `context_not_found`, `dockerfile_not_found`, `conflicting_options`, and as `downloadFile`,
 *   `unpackContext`, `checkOut`
 */
export async function openContext(options: ContextOptions): Promise<OpenContext> {
  const { context, dockerfile } = options;
  if (context === "-" && dockerfile === "-") {
    throw new BunkerError({
      code: "conflicting_options",
      operation: "read context and Dockerfile",
      reason: "standard input cannot be both",
      exitStatus: 1,
    });
  }
  const place = await openPlace(options);
  const { directory, identity, isForeign } = place;
  const read = isForeign ? (path: string) => readInRoot(directory, path) : readOwnFile;
  const found = await findDockerfile(options, place, read);
  const usual = isForeign ? ".dockerignore" : join(directory, ".dockerignore");
  const ignored =
    options.ignoreFile === undefined
      ? readIgnoreFile(read, found.path, usual)
      : readNamedIgnoreFile(readOwnFile, options.ignoreFile);
  return {
    files: { kind: "directory", path: directory, ignored, identity },
    dockerfile: { name: found.name, content: found.content },
  };
}

/**
 * Opens the files of a named context: `--build-context`.
 * @throws BunkerError as `openContext`
 */
export async function openNamedContext(options: Opening): Promise<FileSource> {
  const { directory, identity, isForeign } = await openPlace(options);
  const read = isForeign ? (path: string) => readInRoot(directory, path) : readOwnFile;
  const usual = isForeign ? ".dockerignore" : join(directory, ".dockerignore");
  return { kind: "directory", path: directory, ignored: readIgnoreFile(read, undefined, usual), identity };
}

async function openPlace(options: Opening): Promise<Place> {
  const { context, makeStaging, signal } = options;
  if (context === "-") return unpack(options, "standard input", () => process.stdin);
  const repository = parseGitReference(context);
  if (repository !== undefined) {
    const { checkOut } = await import("./check-out.ts");
    const keepsGitDirectory = repository.keepsGitDirectory ?? options.keepsGitDirectory;
    const settings = { keepsGitDirectory, authorization: options.gitAuthorization(repository.url.host) };
    const { directory, commit } = await checkOut(repository, join(makeStaging(), "files"), settings, signal);
    const identity = repositoryIdentity(commit, repository.subdirectory, keepsGitDirectory);
    return { directory, identity, isForeign: true, dockerfile: undefined };
  }
  if (/^https?:\/\//.test(context) && URL.canParse(context)) {
    const { downloadFile } = await import("./download.ts");
    const staging = makeStaging();
    const { name } = await downloadFile(new URL(context), staging, undefined, signal);
    const path = join(staging, name);
    const place = await unpack(options, context, () => createReadStream(path));
    rmSync(path);
    return place;
  }
  const path = resolve(context);
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw notFound(context);
  if (status.isDirectory()) return { directory: path, identity: undefined, isForeign: false, dockerfile: undefined };
  return unpack(options, context, () => createReadStream(path));
}

async function unpack(
  { makeStaging, warn, signal }: Opening,
  name: string,
  open: () => AsyncIterable<Uint8Array>,
): Promise<Place> {
  const directory = join(makeStaging(), "files");
  const { unpackContext } = await import("./unpack-context.ts");
  const unpacked = await unpackContext(name, open(), directory, signal);
  if (unpacked.kind === "files") for (const warning of unpacked.warnings) warn(`${name}: ${warning}`);
  const dockerfile = unpacked.kind === "dockerfile" ? unpacked.content : undefined;
  return { directory, identity: undefined, isForeign: true, dockerfile };
}

interface FoundDockerfile {
  /** For people. */
  readonly name: string;
  readonly content: Buffer;
  /** Undefined for one that is no file. */
  readonly path: string | undefined;
}

async function findDockerfile(
  { context, dockerfile }: ContextOptions,
  place: Place,
  read: (path: string) => Buffer | undefined,
): Promise<FoundDockerfile> {
  const usualName = USUAL_DOCKERFILES[0] ?? "";
  if (dockerfile === "-") return { name: usualName, content: await dockerfileInput(), path: undefined };
  if (place.dockerfile !== undefined) return { name: usualName, content: place.dockerfile, path: undefined };
  const { directory, isForeign } = place;
  if (dockerfile !== undefined) {
    const path = isForeign ? dockerfile : resolve(dockerfile);
    const content = read(path);
    if (content === undefined) throw dockerfileNotFound(path, "Name it with -f.");
    return { name: path.slice(path.lastIndexOf("/") + 1), content, path };
  }
  for (const name of USUAL_DOCKERFILES) {
    const path = isForeign ? name : join(directory, name);
    const content = read(path);
    if (content !== undefined) return { name, content, path };
  }
  throw dockerfileNotFound(`${context.replace(/\/$/, "")}/${usualName}`, "Name it with -f, or give another directory.");
}

let input: Promise<Buffer> | undefined;

/** The Dockerfile in standard input, which can be read once only, and is needed again when a build is begun again. */
function dockerfileInput(): Promise<Buffer> {
  input ??= readAll(process.stdin);
  return input;
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

function notFound(context: string): BunkerError {
  return new BunkerError({
    code: "context_not_found",
    operation: "open the build context",
    object: context,
    reason: "there is no such file or directory",
    exitStatus: 1,
  });
}

function dockerfileNotFound(path: string, hint: string): BunkerError {
  return new BunkerError({
    code: "dockerfile_not_found",
    operation: "read the Dockerfile",
    object: path,
    reason: "there is no such file",
    hint,
    exitStatus: 1,
  });
}
