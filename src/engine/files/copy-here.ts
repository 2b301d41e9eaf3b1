/*
 * A copy between two trees, or between a tree and an archive in a stream, by root of the user namespace that the
 * container's files are for. All kinds are one: the source is read as an archive, or is one, and the destination takes
 * the entries in, or is a stream that gets the archive as it is.
 *
 * Both trees are known by descriptors of their root directories that the caller has opened: that of a container leads into
 * its mounts, and the process stays in the host's namespaces, where the container cannot see it.
 */
import { closeSync, readSync } from "node:fs";
import * as v from "valibot";
import { archiveEntries } from "../../image/layers/layer-diff.ts";
import { Losses } from "../../image/layers/losses.ts";
import { TarReader } from "../../image/tar/tar-reader.ts";
import { decompressed } from "../../image/transport/archive-input.ts";
import { FIRST_PASSED_DESCRIPTOR } from "../../runtime/user-namespace-process.ts";
import { setBlocking } from "../../sys/blocking.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { openAt2, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { copyError } from "./copy-error.ts";
import { type Location, locate, openInRoot } from "./locate.ts";
import { treeEntries } from "./tree-entries.ts";
import { type TreeDestination, TreeWriter } from "./tree-writer.ts";
import { writeFully } from "./write-fully.ts";

const endSchema = v.variant("kind", [
  v.object({
    kind: v.picklist(["host", "container"]),
    /** Which of the passed descriptors is the root directory. */
    root: v.number(),
    /** From the root, each character a byte. */
    path: v.string(),
    /** As the user has written it. */
    shown: v.string(),
  }),
  /** A tar archive in standard input or output. */
  v.object({ kind: v.literal("archive") }),
]);

export const copyRequestSchema = v.object({
  source: endSchema,
  destination: endSchema,
  /** Whether a symbolic link that the source is, is followed. */
  followLinks: v.boolean(),
  overwrites: v.boolean(),
  /** Who gets the files; undefined keeps their owners. */
  owner: v.optional(v.object({ uid: v.number(), gid: v.number() })),
});

export type CopyRequest = v.InferOutput<typeof copyRequestSchema>;
export type CopyEnd = CopyRequest["source"];
type TreeEnd = Extract<CopyEnd, { root: number }>;

/** What was copied. */
export interface CopyReport {
  /** Bytes of files. */
  readonly size: number;
  readonly warnings: readonly string[];
}

const DIRECTORY_PATH = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;

/**
 * Copies as a request says.
 * @throws BunkerError `copy_failed`, `no_space`, `archive_invalid`
 */
export async function copyHere(request: CopyRequest): Promise<CopyReport> {
  const losses = new Losses();
  const lose = losses.add.bind(losses);
  const { source, destination } = request;
  if (destination.kind === "archive") {
    if (source.kind === "archive") throw new Error("an archive is not copied to an archive");
    using from = locateSource(source, request.followLinks);
    let size = 0;
    const entries = treeEntries(from, isContentMeant(source) ? ("" as ByteString) : nameOf(source, from), {
      forbidden: undefined,
      closed: kernelDirectories(source),
    });
    for (const piece of archiveEntries(entries, { latestTime: undefined, lose })) {
      writeFully(1, piece, "standard output");
      size += piece.length;
    }
    return { size, warnings: losses.messages() };
  }
  using to = locate(rootOf(destination), destination.path as ByteString, true, destination.shown);
  if (source.kind === "archive") {
    if (!isDirectory(to)) throw refused(destination, "an archive is unpacked in a directory, and it is none");
    using target = openTarget(to, destination);
    using writer = new TreeWriter({ ...target.tree(request.owner), overwrites: request.overwrites }, lose);
    const reader = new TarReader(writer);
    for await (const piece of decompressed({ name: "standard input", stream: readInput() })) reader.feed(piece);
    reader.finish();
    writer.finish();
    return { size: writer.size, warnings: losses.messages() };
  }
  using from = locateSource(source, request.followLinks);
  const { target, name } = place(source, from, destination, to, request.overwrites);
  using _ = target;
  using writer = new TreeWriter({ ...target.tree(request.owner), overwrites: request.overwrites }, lose);
  const reader = new TarReader(writer);
  const entries = treeEntries(from, name, { forbidden: target.status, closed: kernelDirectories(source) });
  for (const piece of archiveEntries(entries, { latestTime: undefined, lose })) reader.feed(piece);
  reader.finish();
  writer.finish();
  return { size: writer.size, warnings: losses.messages() };
}

function rootOf({ root }: TreeEnd): number {
  return FIRST_PASSED_DESCRIPTOR + root;
}

function locateSource(source: TreeEnd, followLinks: boolean): Location {
  const found = locate(rootOf(source), source.path as ByteString, followLinks, source.shown);
  if (found.status !== undefined) return found;
  found[Symbol.dispose]();
  throw copyError({ operation: "find", object: source.shown, errno: Errno.ENOENT });
}

/**
 * Where a container that runs has the kernel's file systems, and its devices: nothing without its processes, and as with
 * Docker not part of a copy of what is above them.
 */
function kernelDirectories(source: TreeEnd): FileStatus[] {
  if (source.kind !== "container") return [];
  const root = statusOf(rootOf(source));
  return ["proc", "sys", "dev"].flatMap((name) => {
    const opened = openInRoot(rootOf(source), name);
    if (opened < 0) return [];
    using directory = new FileDescriptor(opened);
    const status = statusOf(directory.number);
    if (typeof status === "number" || typeof root === "number") return [];
    return status.fileSystem === root.fileSystem ? [] : [status];
  });
}

/** Whether the source is what a directory holds, and not the directory: `DIRECTORY/.`. */
function isContentMeant({ path }: TreeEnd): boolean {
  return /(?:^|\/)\.\/*$/.test(path) || /^\/*$/.test(path);
}

/** The name by which the user knows the source. */
function nameOf({ path }: TreeEnd, { base }: Location): ByteString {
  const name = path.replace(/\/+$/, "");
  const last = name.slice(name.lastIndexOf("/") + 1);
  return (last === ".." || last === "" ? base.replace(/^\.+$/, "") : last) as ByteString;
}

function isDirectory({ status }: Location): boolean {
  return status !== undefined && isType(status, FileMode.directory);
}

/** A directory that is copied into. */
interface Target extends Disposable {
  readonly status: FileStatus;
  tree(owner: TreeDestination["owner"]): Omit<TreeDestination, "overwrites">;
}

/**
 * Decides where things go, by the rules of `docker cp`: into a directory that is there; in the place of a file; or under a
 * new name in a directory that is there.
 */
function place(
  source: TreeEnd,
  from: Location,
  destination: TreeEnd,
  to: Location,
  overwrites: boolean,
): { readonly target: Target; readonly name: ByteString } {
  if (isDirectory(to)) {
    const name = isContentMeant(source) && isDirectory(from) ? ("" as ByteString) : nameOf(source, from);
    return { target: openTarget(to, destination), name };
  }
  if (to.status === undefined) {
    if (/\/$/.test(destination.path) && !isDirectory(from)) throw refused(destination, "there is no such directory");
  } else if (isDirectory(from) && !overwrites) {
    throw refused(destination, "a directory cannot be copied to something else");
  }
  const above = to.path.slice(0, Math.max(to.path.lastIndexOf("/"), 0)) as ByteString;
  const parent: Location = { ...to, base: "." as ByteString, path: above };
  return { target: openTarget(parent, destination), name: to.base };
}

function refused({ shown }: TreeEnd, reason: string): Error {
  return copyError({ operation: "copy to", object: shown, reason });
}

function openTarget({ parent, base, path }: Location, end: TreeEnd): Target {
  // In a container links are followed, within its root. On the host they are not: what is in the archive may be hostile.
  const directory = openAt2(parent.number, base, DIRECTORY_PATH, Resolve.BENEATH | Resolve.NO_SYMLINKS);
  const status = directory < 0 ? directory : statusOf(directory);
  if (typeof status === "number") throw copyError({ operation: "open", object: end.shown, errno: -status });
  const root = rootOf(end);
  const openDirectory =
    end.kind === "container"
      ? (inside: ByteString) => openInRoot(root, inside === "" ? path : `${path}/${inside}`)
      : (inside: ByteString) =>
          openAt2(
            directory,
            inside === "" ? ("." as ByteString) : inside,
            DIRECTORY_PATH,
            Resolve.BENEATH | Resolve.NO_SYMLINKS,
          );
  return {
    status,
    tree: (owner) => ({ openDirectory, owner, isHost: end.kind === "host" }),
    [Symbol.dispose]: () => closeSync(directory),
  };
}

async function* readInput(): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(256 << 10);
    let length: number;
    try {
      length = readSync(0, buffer);
    } catch (error) {
      if (errnoOf(error) !== Errno.EAGAIN) throw error;
      setBlocking(0, true);
      continue;
    }
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}
