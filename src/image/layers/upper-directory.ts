/*
 * What a container has changed, as its writable layer holds it: overlay's upper directory, beside what the layers below
 * show at the same places. Walking it costs as much as there are changes, however large the image is.
 *
 * Names are in the order of their bytes as an archive has them, a whiteout being `.wh.NAME`, so that the same changes
 * give the same archive. The content is hostile, and the container may still run: everything is opened relative to its
 * parent without following links, and what has gone meanwhile is left out.
 */
import { OPAQUE_ATTRIBUTE, OPAQUE_VALUE } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { directoryEntries } from "../../sys/directory-entries.ts";
import { Errno } from "../../sys/errno.ts";
import { getAttribute, openAt, statusAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { LowerDirectory } from "./lower-directory.ts";
import { checkEntry } from "./unpack-error.ts";
import { isWhiteoutStatus, WHITEOUT_PREFIX } from "./whiteout.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** A name in the upper directory. */
export interface UpperEntry {
  readonly kind: "whiteout" | "directory" | "other";
  /** From the root; empty for the root itself. */
  readonly path: ByteString;
  /** The directory that it lies in, open, and its name there; for a directory also itself, which is `.` in it. */
  readonly parent: number;
  readonly base: ByteString;
  readonly status: FileStatus;
  /** What the layers below show at its place. */
  readonly lower: FileStatus | undefined;
  /** For a directory: names that the layers below have in it, and it does not show, because it hides all of theirs. */
  readonly hidden: ReadonlySet<ByteString> | undefined;
}

/**
 * Walks through an upper directory; a directory comes before its content.
 * @param upper descriptor of the upper directory; stays the caller's
 * @param lower descriptors of the directories of the layers below, the uppermost first; stay the caller's
 * @throws BunkerError `system_call_failed`
 */
export function* upperEntries(upper: number, lower: readonly number[]): Generator<UpperEntry, void, undefined> {
  using below = LowerDirectory.root(lower);
  using root = new FileDescriptor(
    checkEntry(openAt(upper, "." as ByteString, DIRECTORY_FLAGS), "open the directory", "" as ByteString),
  );
  yield* directoryAndContent(root.number, "" as ByteString, below, below.status());
}

function* directoryAndContent(
  directory: number,
  path: ByteString,
  below: LowerDirectory,
  lower: FileStatus | undefined,
): Generator<UpperEntry, void, undefined> {
  const status = statusOf(directory);
  if (typeof status === "number") {
    checkEntry(status, "read the status of", path);
    return;
  }
  const isOpaque = getAttribute(directory, OPAQUE_ATTRIBUTE) === OPAQUE_VALUE;
  const hidden = isOpaque && below.status() !== undefined ? below.names() : undefined;
  yield { kind: "directory", path, parent: directory, base: "." as ByteString, status, lower, hidden };
  using nothing = LowerDirectory.none();
  yield* content(directory, path, isOpaque ? nothing : below);
}

function* content(directory: number, path: ByteString, below: LowerDirectory): Generator<UpperEntry, void, undefined> {
  for (const { name, status } of sortedNames(directory)) {
    const inside = (path === "" ? name : `${path}/${name}`) as ByteString;
    const lower = below.find(name);
    if (isWhiteoutStatus(status)) {
      yield { kind: "whiteout", path: inside, parent: directory, base: name, status, lower, hidden: undefined };
    } else if (isType(status, FileMode.directory)) {
      const opened = openAt(directory, name, DIRECTORY_FLAGS);
      if (isGone(opened)) continue;
      using child = new FileDescriptor(checkEntry(opened, "open the directory", inside));
      using childBelow = below.open(name);
      yield* directoryAndContent(child.number, inside, childBelow, lower);
    } else {
      yield { kind: "other", path: inside, parent: directory, base: name, status, lower, hidden: undefined };
    }
  }
}

/** Whether something has been removed or replaced since its name was read. */
export function isGone(result: number): boolean {
  return result === -Errno.ENOENT || result === -Errno.ENOTDIR || result === -Errno.ELOOP;
}

function sortedNames(directory: number): { readonly name: ByteString; readonly status: FileStatus }[] {
  const found: { readonly name: ByteString; readonly status: FileStatus; readonly key: string }[] = [];
  for (const { name } of directoryEntries(directory)) {
    const status = statusAt(directory, name);
    if (typeof status === "number") {
      if (!isGone(status)) checkEntry(status, "read the status of", name);
      continue;
    }
    found.push({ name, status, key: isWhiteoutStatus(status) ? WHITEOUT_PREFIX + name : name });
  }
  return found.sort((one, other) => (one.key < other.key ? -1 : 1));
}
