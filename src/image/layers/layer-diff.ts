/*
 * From a container's writable layer to the archive of an image's layer: the way back of layer-writer.ts. Unpacked over
 * the same layers, the archive shows the tree that the container has seen.
 *
 * Every name in the upper directory becomes an entry. Of a directory that hides what is below it (an opaque one), the
 * mark is only written where there is something to hide: the kernel also makes new directories opaque. Owners and modes
 * that are only recorded in an attribute (layer-writer.ts makes such files, in single-id mode or for devices) become
 * real ones. A second name of a file becomes a hard link. Sockets are left out, as everywhere: they mean nothing
 * without the process that listens; what they have taken the place of is marked as deleted.
 *
 * The root directory itself has an entry only where its owner, mode or attributes are not those of the layers below: its
 * time is always another.
 *
 * The archive depends on the tree alone: names are sorted, access times are left out, marks of deletion have no time.
 * With a latest time, later ones become that one, which is what reproducible builds ask of files that they have made.
 */

import { readSync } from "node:fs";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { openAt, readLinkAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, type FileStatus, hasSameOwnerAndMode, isType, type Timestamp } from "../../sys/stat.ts";
import type { TarEntryType } from "../tar/tar-entry.ts";
import { endOfArchive, entryHeaders, paddingAfter, type WrittenEntry } from "../tar/tar-writer.ts";
import { dataParts } from "./data-parts.ts";
import type { Loss } from "./entry-attributes.ts";
import { entryTypeOf } from "./entry-type.ts";
import { expressibleEntries } from "./expressible-entries.ts";
import { noAttributes, readAttributes, recordedMode } from "./recorded-attributes.ts";
import { checkEntry } from "./unpack-error.ts";
import { isGone, type UpperEntry } from "./upper-directory.ts";
import { OPAQUE_WHITEOUT, WHITEOUT_PREFIX } from "./whiteout.ts";

const FILE_FLAGS =
  OpenFlag.O_RDONLY | OpenFlag.O_NOFOLLOW | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY | OpenFlag.O_CLOEXEC;

/** Bytes of the pieces in which an archive comes, and in which files are read. */
const PIECE_SIZE = 256 << 10;
const zeros = Buffer.alloc(PIECE_SIZE);

const epoch: Timestamp = { seconds: 0, nanoseconds: 0 };

export interface DiffOptions {
  /** Seconds since 1970 that no time in the archive is beyond; undefined leaves all times as they are. */
  readonly latestTime: number | undefined;
  /** The same for those that none is before. */
  readonly earliestTime?: number | undefined;
  /** Is told of what the archive cannot say. */
  readonly lose: Loss;
}

/**
 * Writes the archive of a layer; the rest is as `archiveEntries`.
 * @param entries such as `upperEntries` finds
 */
export function archiveLayer(entries: Iterable<UpperEntry>, options: DiffOptions): Generator<Buffer, void, undefined> {
  return archiveEntries(expressibleEntries(entries, options.lose), options);
}

/**
 * Writes the archive of what a walk through a tree finds. Has to run as root of the user namespace that the files are for,
 * so that their owners are those that the image states, with /proc there.
 * @param entries a directory before its content
 * @returns its pieces; they are not to be changed
 * @throws BunkerError `system_call_failed`, `layer_refused`
 */
export function* archiveEntries(
  entries: Iterable<UpperEntry>,
  options: DiffOptions,
): Generator<Buffer, void, undefined> {
  yield* inPieces(archiveOf(entries, options));
}

function* archiveOf(entries: Iterable<UpperEntry>, options: DiffOptions): Generator<Buffer, void, undefined> {
  const links = new Map<string, ByteString>();
  for (const entry of entries) {
    if (entry.kind === "whiteout") {
      if (entry.lower !== undefined) yield markHeaders(beside(entry.path, WHITEOUT_PREFIX + entry.base));
    } else if (entry.kind === "directory") {
      const headers = describe(entry, "directory", entry.parent, options);
      if (entry.path !== "" || isRootChanged(entry, headers)) yield entryHeaders(headers);
      const { hidden, path } = entry;
      if (hidden !== undefined && hidden.size > 0) {
        yield markHeaders((path === "" ? OPAQUE_WHITEOUT : `${path}/${OPAQUE_WHITEOUT}`) as ByteString);
      }
    } else {
      yield* otherEntry(entry, links, options);
    }
  }
  yield endOfArchive();
}

/** Another name in the same directory. */
function beside(path: ByteString, base: string): ByteString {
  return (path.slice(0, path.lastIndexOf("/") + 1) + base) as ByteString;
}

function isRootChanged({ status, lower }: UpperEntry, { attributes }: WrittenEntry): boolean {
  if (lower === undefined) return false;
  return !hasSameOwnerAndMode(status, lower) || attributes.size > 0;
}

function markHeaders(name: ByteString): Buffer {
  return entryHeaders({
    type: "file",
    name,
    linkName: "" as ByteString,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    modified: epoch,
    deviceMajor: 0,
    deviceMinor: 0,
    attributes: noAttributes,
  });
}

function* otherEntry(
  entry: UpperEntry,
  links: Map<string, ByteString>,
  options: DiffOptions,
): Generator<Buffer, void, undefined> {
  const { fileSystem, inode, linkCount } = entry.status;
  const identity = `${fileSystem}:${inode}`;
  const type = entryTypeOf(entry.status.mode);
  if (type === undefined) {
    // What a socket has taken the place of must not come back.
    if (entry.lower !== undefined) yield markHeaders(beside(entry.path, WHITEOUT_PREFIX + entry.base));
    return;
  }
  const known = linkCount > 1 ? links.get(identity) : undefined;
  // Once this one is sure to have an entry.
  const noteLink = () => {
    if (linkCount > 1) links.set(identity, entry.path);
  };
  if (type !== "file") {
    const target = type === "symbolic-link" ? readLinkAt(entry.parent, entry.base) : ("" as ByteString);
    if (typeof target === "number") {
      // What has become something else meanwhile is no link.
      if (!isGone(target) && target !== -Errno.EINVAL) checkEntry(target, "read the link", entry.path);
      return;
    }
    const described = { ...describe(entry, type, undefined, options), linkName: target };
    if (known === undefined) noteLink();
    yield entryHeaders(known === undefined ? described : hardLink(described, known));
    return;
  }
  const opened = openAt(entry.parent, entry.base, FILE_FLAGS);
  if (isGone(opened)) return;
  using file = new FileDescriptor(checkEntry(opened, "open", entry.path));
  const status = statusOf(file.number);
  if (typeof status === "number" || status.inode !== inode || !isType(status, FileMode.regular)) return;
  const described = describe({ ...entry, status }, "file", file.number, options);
  if (known !== undefined) {
    yield entryHeaders(hardLink(described, known));
    return;
  }
  noteLink();
  yield entryHeaders(described);
  if (described.size === 0) return;
  yield* fileData(file.number, entry.path, status, options.lose);
  yield paddingAfter(described.size);
}

/** Attributes belong to the file, and are with its first name. */
function hardLink(entry: WrittenEntry, target: ByteString): WrittenEntry {
  return { ...entry, type: "hard-link", linkName: target, size: 0, attributes: noAttributes };
}

/**
 * Puts together what an entry says.
 * @param file the file or directory itself, when it is open
 */
function describe(
  { path, parent, base, status }: UpperEntry,
  type: TarEntryType,
  file: number | undefined,
  options: DiffOptions,
): WrittenEntry {
  const { attributes, override } = readAttributes(path, parent, base, file, options.lose);
  const device = override?.device;
  return {
    type: device === undefined ? type : device.isCharacter ? "character-device" : "block-device",
    name: path === "" ? ("./" as ByteString) : path,
    linkName: "" as ByteString,
    mode: override === undefined ? status.mode & FileMode.permissions : recordedMode(status, override),
    uid: override?.uid ?? status.uid,
    gid: override?.gid ?? status.gid,
    size: type === "file" && device === undefined ? status.size : 0,
    modified: bounded(status.modified, options),
    deviceMajor: device?.major ?? status.deviceMajor,
    deviceMinor: device?.minor ?? status.deviceMinor,
    attributes: expressibleAttributes(attributes, path, options.lose),
  };
}

/** In a pax record, an equals sign ends the name. */
function expressibleAttributes(
  attributes: ReadonlyMap<ByteString, ByteString>,
  path: ByteString,
  lose: Loss,
): ReadonlyMap<ByteString, ByteString> {
  const lost = [...attributes.keys()].filter((name) => name.includes("="));
  if (lost.length === 0) return attributes;
  for (const name of lost) lose(`attribute ${name} has a name that an archive cannot hold`, path);
  return new Map([...attributes].filter(([name]) => !lost.includes(name)));
}

function bounded(time: Timestamp, { latestTime, earliestTime }: DiffOptions): Timestamp {
  if (latestTime !== undefined && time.seconds >= latestTime) return { seconds: latestTime, nanoseconds: 0 };
  if (earliestTime !== undefined && time.seconds < earliestTime) return { seconds: earliestTime, nanoseconds: 0 };
  return time;
}

/** The bytes of a file, as many as its status says: what becomes of it meanwhile must not damage the archive. */
function* fileData(file: number, path: ByteString, status: FileStatus, lose: Loss): Generator<Buffer, void, undefined> {
  let position = 0;
  for (const { start, end } of dataParts(file, status)) {
    yield* zerosOf(start - position);
    position = start;
    while (position < end) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, end - position));
      const length = readSync(file, buffer, 0, buffer.length, position);
      if (length === 0) {
        lose("it has become shorter while it was read; zeros take the place of the rest", path);
        yield* zerosOf(status.size - position);
        return;
      }
      position += length;
      yield buffer.subarray(0, length);
    }
  }
  yield* zerosOf(status.size - position);
}

function* zerosOf(length: number): Generator<Buffer, void, undefined> {
  for (let left = length; left > 0; left -= PIECE_SIZE) yield zeros.subarray(0, Math.min(left, PIECE_SIZE));
}

/** Puts small pieces together: headers and small files are most of an archive. */
function* inPieces(source: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  let gathered: Buffer[] = [];
  let length = 0;
  for (const piece of source) {
    gathered.push(piece);
    length += piece.length;
    if (length < PIECE_SIZE) continue;
    yield gathered.length === 1 ? piece : Buffer.concat(gathered, length);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
}
