/*
 * The key of what an instruction copies: a digest of names, types, modes, link targets, attributes and contents, and of
 * owners where they are kept; not of times, so a fresh checkout of the same files has the same key.
 *
 * Beside it stands a stamp of which files were read, and of when they were last changed. Whoever copies the files
 * afterwards makes the same stamp, and sees by it that somebody has changed them in between: then the copy does not belong
 * under this key.
 */
import { readSync } from "node:fs";
import { type Digest, digestOf } from "../../image/digest.ts";
import { isGone } from "../../image/layers/upper-directory.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { openAt, readLinkAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, isType } from "../../sys/stat.ts";
import type { DirectoryDigests, FileDigests } from "./file-digests.ts";
import { checkFile } from "./file-error.ts";
import { fileIdentity } from "./file-identity.ts";
import type { FileSelection } from "./file-source.ts";
import { type SourceTree, selectFiles, type WalkStep } from "./select-files.ts";
import { type SourceOwners, sourceEntry } from "./source-entry.ts";

const FILE_FLAGS =
  OpenFlag.O_RDONLY | OpenFlag.O_NOFOLLOW | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY | OpenFlag.O_CLOEXEC;
const PIECE_SIZE = 256 << 10;
/** Bytes that are hashed before others get their turn. */
const TURN = 32 << 20;

/** What identifies the files of a selection. */
export interface ContentKey {
  readonly digest: Digest;
  /** Which files were read, as of when; undefined of those that nobody changes. */
  readonly stamp: string | undefined;
}

/** One of files that somebody may change. */
export interface StampedKey extends ContentKey {
  readonly stamp: string;
}

/** Bytes that are put together before they are hashed: a call for each of many short texts would cost more than it hashes. */
const BATCH = 64 << 10;

/** Hashes texts of one-byte characters. */
class TextHasher {
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #pending = "";

  add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= BATCH) this.#flush();
  }

  /** Hexadecimal digits. */
  finish(): string {
    this.#flush();
    return this.#hasher.digest("hex");
  }

  #flush(): void {
    this.#hasher.update(this.#pending, "latin1");
    this.#pending = "";
  }
}

/** Gathers the stamp of files as they are met. */
export class StampHasher {
  readonly #hasher = new TextHasher();

  /** @param identity as `fileIdentity` has it */
  add(path: ByteString, identity: string): void {
    this.#hasher.add(`${path}\0${identity}\n`);
  }

  finish(): string {
    return this.#hasher.finish();
  }
}

/**
 * Computes the key of what is selected from a tree.
 * @param owners whether the owners of files are theirs in the image
 * @param digests remembers the digests of files; undefined where files are not the same for long
 * @throws BunkerError as `selectFiles`, and the reason of `signal`
 */
export async function contentKeyOf(
  tree: SourceTree,
  selection: Pick<FileSelection, "paths" | "excluded" | "keepsParents">,
  owners: SourceOwners,
  digests: FileDigests | undefined,
  signal: AbortSignal,
): Promise<StampedKey> {
  const hasher = new TextHasher();
  const stamp = new StampHasher();
  const directories: (DirectoryDigests | undefined)[] = [];
  const readPieces = pieceReader(signal);
  for (const match of selectFiles(tree, selection)) {
    hasher.add(match.isDirectory ? "directory\n" : `file ${match.name}\n`);
    for (const step of match.steps()) {
      if (step.kind === "end") {
        directories.pop()?.close();
        hasher.add("end\n");
      } else if (step.kind === "directory") {
        directories.push(digests?.open(step.directory, step.status));
        // The directory whose content is meant is none of the files.
        if (step.path !== "") hasher.add(describeDirectory(step, owners));
      } else {
        const identity = fileIdentity(step.status);
        stamp.add(step.path, identity);
        const directory = directories.at(-1) ?? openParent(step, digests);
        const known = directory?.find(step.base, identity);
        const content = known ?? (await describeContent(step, owners, readPieces, directory));
        hasher.add(`${describeFile(step, owners)}${content}\n`);
      }
    }
  }
  return { digest: `sha256:${hasher.finish()}` as Digest, stamp: stamp.finish() };
}

/** The key of files that stand in the Dockerfile. */
export function textsKey(files: readonly { readonly name: string; readonly content: string }[]): ContentKey {
  return { digest: digestOf(JSON.stringify(files.map(({ name, content }) => [name, content]))), stamp: undefined };
}

/** What is remembered of the directory of a file that was named itself. */
function openParent({ parent }: FileStep, digests: FileDigests | undefined): DirectoryDigests | undefined {
  const status = statusOf(parent);
  return typeof status === "number" ? undefined : digests?.open(parent, status);
}

type DirectoryStep = Extract<WalkStep, { kind: "directory" }>;
type FileStep = Extract<WalkStep, { kind: "other" }>;

function describeDirectory({ path, directory, status }: DirectoryStep, owners: SourceOwners): string {
  const place = { path, parent: directory, base: "." as ByteString, status };
  const { uid, gid, mode, attributes } = sourceEntry(place, directory, owners, () => undefined);
  return `${path}\0directory ${mode.toString(8)} ${uid}:${gid} ${describeAttributes(attributes)}\n`;
}

/** What is known of a file without opening it. */
function describeFile({ path, status }: FileStep, owners: SourceOwners): string {
  // Where owners are kept they may be recorded in attributes, and are with the content.
  return `${path}\0${status.mode.toString(8)} ${owners === "root" ? "" : `${status.uid}:${status.gid} `}`;
}

/** What has to be read: a link's target, a file's attributes and bytes. A name that has gone has none. */
async function describeContent(
  step: FileStep,
  owners: SourceOwners,
  readPieces: PieceReader,
  digests: DirectoryDigests | undefined,
): Promise<string> {
  const { path, parent, base, status } = step;
  if (isType(status, FileMode.symbolicLink)) {
    const target = readLinkAt(parent, base);
    return typeof target === "number" ? "gone" : `link ${target.length} ${target}`;
  }
  if (!isType(status, FileMode.regular)) return `device ${status.deviceMajor}:${status.deviceMinor}`;
  digests?.beforeReading();
  const started = Date.now();
  const opened = openAt(parent, base, FILE_FLAGS);
  if (isGone(opened)) return "gone";
  using file = new FileDescriptor(checkFile(opened, "open", path === "" ? base : path));
  const entry = sourceEntry(step, file.number, owners, () => undefined);
  const device = entry.device === undefined ? "" : JSON.stringify(entry.device);
  const recorded = owners === "root" ? "" : `${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${device}`;
  const content = `${recorded}${describeAttributes(entry.attributes)} ${await digestOfContent(file.number, readPieces)}`;
  const after = statusOf(file.number);
  if (typeof after !== "number") digests?.remember(base, status, after, started, content);
  return content;
}

async function digestOfContent(file: number, readPieces: PieceReader): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  await readPieces(file, (piece) => void hasher.update(piece));
  return hasher.digest("base64url");
}

/** Hands out the bytes of a file in pieces, which are good until the next one. */
type PieceReader = (file: number, take: (piece: Buffer) => void) => Promise<void>;

/** Reads files one after the other, and lets others have their turn however large or many they are. */
function pieceReader(signal: AbortSignal): PieceReader {
  const buffer = Buffer.from(new ArrayBuffer(PIECE_SIZE));
  let turn = 0;
  return async (file, take) => {
    for (;;) {
      const length = readSync(file, buffer, 0, buffer.length, null);
      if (length === 0) return;
      take(buffer.subarray(0, length));
      turn += length;
      if (turn < TURN) continue;
      turn = 0;
      await new Promise(setImmediate);
      signal.throwIfAborted();
    }
  };
}

function describeAttributes(attributes: ReadonlyMap<ByteString, ByteString>): string {
  if (attributes.size === 0) return "";
  const sorted = [...attributes].sort(([one], [other]) => (one < other ? -1 : 1));
  return digestOf(Buffer.from(JSON.stringify(sorted), "latin1"));
}
