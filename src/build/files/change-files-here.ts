/*
 * Changes of a root file system, by root of the user namespace that its files are for: what COPY, ADD and WORKDIR do. The
 * root file system is mounted, so that what is written goes to a new layer, and is known by its descriptor; so are the
 * sources. Both may be hostile: the destination is followed in its root, and from there on no link is.
 *
 * As BuildKit has it: the destination and what is missing above it are made with mode 0755 and belong to whom `--chown`
 * names; of a directory its content is copied, and the directory itself keeps what it is; directories in it get owner, mode
 * and times of their namesakes in the source. A file replaces a file, never a directory.
 */
import type * as v from "valibot";
import type { Loss } from "../../image/layers/entry-attributes.ts";
import { splitPath } from "../../image/layers/entry-path.ts";
import { entryTypeOf } from "../../image/layers/entry-type.ts";
import { LayerWriter } from "../../image/layers/layer-writer.ts";
import { Losses } from "../../image/layers/losses.ts";
import { storeOwnership } from "../../image/layers/ownership.ts";
import { noAttributes } from "../../image/layers/recorded-attributes.ts";
import { checkOwner } from "../../image/layers/unpack-error.ts";
import { isGone } from "../../image/layers/upper-directory.ts";
import type { TarEntry, TarEntryType } from "../../image/tar/tar-entry.ts";
import { OVERRIDE_STAT_ATTRIBUTE } from "../../mount/overlay-attributes.ts";
import { type ByteString, encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { changeOwner, makeDirectoryAt, openAt, readLinkAt, setAttribute, setUmask, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import type { changeFilesAnswerSchema, changeFilesRequestSchema } from "./change-files-request.ts";
import { StampHasher } from "./content-key.ts";
import { checkFile, fileError } from "./file-error.ts";
import { fileIdentity } from "./file-identity.ts";
import { type ModeChange, parseMode } from "./file-mode.ts";
import { type Match, selectFiles, type WalkStep } from "./select-files.ts";
import { type SourceEntry, sourceEntry } from "./source-entry.ts";
import { followPath, insideOf, openRealDirectory } from "./tree-path.ts";
import { isArchive, unpackArchive } from "./unpack-archive.ts";

type Request = v.InferOutput<typeof changeFilesRequestSchema>;
type Answer = v.InferOutput<typeof changeFilesAnswerSchema>;
type Copy = Extract<Request["operations"][number], { kind: "copy" }>;
type TreePart = Extract<Copy["parts"][number], { kind: "tree" }>;
type Owner = NonNullable<Copy["owner"]>;

const FILE_FLAGS =
  OpenFlag.O_RDONLY | OpenFlag.O_NOFOLLOW | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY | OpenFlag.O_CLOEXEC;
const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;
const DIRECTORY_MODE = 0o755;
const TEXT_MODE = 0o644;
const ROOT: Owner = { uid: 0, gid: 0 };

/** What all operations of a request share. */
interface Context {
  readonly request: Request;
  readonly losses: Losses;
  size: number;
}

/**
 * Makes the changes of a request, in their order.
 * @throws BunkerError `source_not_found`, `copy_failed`, `no_space`, `archive_invalid`, `invalid_mode`, …
 */
export async function changeFilesHere(request: Request): Promise<Answer> {
  const context: Context = { request, losses: new Losses(), size: 0 };
  const stamps: string[][] = [];
  setUmask(0);
  for (const operation of request.operations) {
    if (operation.kind === "make-directory") {
      using _ = makeDirectories(context, encodeText(operation.path), operation.owner ?? ROOT);
      stamps.push([]);
    } else {
      stamps.push(await copy(context, operation));
    }
  }
  return { size: context.size, stamps, warnings: context.losses.messages() };
}

/** How what one operation copies is changed. */
interface Changes {
  readonly owner: Owner | undefined;
  readonly mode: ModeChange | undefined;
  /** Paths that its files have got instead of their own names. */
  readonly renamed: Set<ByteString>;
}

async function copy(context: Context, operation: Copy): Promise<string[]> {
  const { destination, owner, mode } = operation;
  const changes: Changes = { owner, mode: mode === undefined ? undefined : parseMode(mode), renamed: new Set() };
  const stamps: string[] = [];
  for (const part of operation.parts) {
    if (part.kind === "texts") {
      for (const file of part.files) writeText(context, destination, file, changes);
      stamps.push("");
      continue;
    }
    const stamp = new StampHasher();
    let isEmpty = true;
    for (const match of selectFiles(part, part)) {
      isEmpty = false;
      await copyMatch(context, destination, part, match, changes, stamp);
    }
    if (isEmpty) context.losses.add("no file matches", encodeText(part.paths.join(" ")));
    stamps.push(stamp.finish());
  }
  return stamps;
}

async function copyMatch(
  context: Context,
  destination: string,
  part: TreePart,
  match: Match,
  changes: Changes,
  stamp: StampHasher,
): Promise<void> {
  if (match.isDirectory) {
    using target = makeDirectories(context, encodeText(destination), changes.owner ?? ROOT);
    write(context, target.number, part, match.steps(), undefined, changes, stamp);
    return;
  }
  if (part.unpacks) {
    for (const step of match.steps()) {
      if (step.kind === "other" && (await unpack(context, destination, step, changes, stamp))) return;
    }
  }
  using place = placeOfFile(context, destination, match.name, changes);
  write(context, place.directory.number, part, match.steps(), place.name, changes, stamp);
}

/** Copies the steps of a walk into a directory. A file that was named itself gets `name` there. */
function write(
  context: Context,
  directory: number,
  part: TreePart,
  steps: Iterable<WalkStep>,
  name: ByteString | undefined,
  changes: Changes,
  stamp: StampHasher,
): void {
  const { losses, request } = context;
  const lose = losses.add.bind(losses);
  const links = new Map<string, ByteString>();
  using writer = new LayerWriter(directory, request.mapping, lose, "copy");
  for (const step of steps) {
    if (step.kind === "end") continue;
    const path = step.path === "" ? (name ?? ("" as ByteString)) : step.path;
    if (step.kind === "directory") {
      // The directory whose content is meant stays what it is.
      if (path === "") continue;
      const place = { path, parent: step.directory, base: "." as ByteString, status: step.status };
      const entry = sourceEntry(place, step.directory, part.owners, lose);
      writer.entry(tarEntry("directory", path, step.status, entry, changes));
      writer.end();
      continue;
    }
    const { fileSystem, inode, linkCount } = step.status;
    const identity = `${fileSystem}:${inode}`;
    const known = linkCount > 1 ? links.get(identity) : undefined;
    if (known === undefined) {
      writeFile(writer, part, step, path, changes, stamp, lose);
      if (linkCount > 1) links.set(identity, path);
    } else {
      stamp.add(step.path, fileIdentity(step.status));
      const entry = { ...ROOT, mode: 0, attributes: noAttributes, device: undefined };
      writer.entry({ ...tarEntry("hard-link", path, step.status, entry, changes), linkName: known });
      writer.end();
    }
  }
  writer.finish([]);
  context.size += writer.size;
}

type FileStep = Extract<WalkStep, { kind: "other" }>;
function writeFile(
  writer: LayerWriter,
  part: TreePart,
  step: FileStep,
  path: ByteString,
  changes: Changes,
  stamp: StampHasher,
  lose: Loss,
): void {
  const { parent, base, status } = step;
  const type = entryTypeOf(status.mode);
  if (type === undefined) return;
  if (type !== "file") {
    const entry = sourceEntry(step, undefined, part.owners, lose);
    const target = type === "symbolic-link" ? readLinkAt(parent, base) : ("" as ByteString);
    stamp.add(step.path, fileIdentity(status));
    if (typeof target === "number") return;
    writer.entry({ ...tarEntry(type, path, status, entry, changes), linkName: target });
    writer.end();
    return;
  }
  const opened = openAt(parent, base, FILE_FLAGS);
  if (isGone(opened)) return;
  using file = new FileDescriptor(checkFile(opened, "open", path));
  const own = statusOf(file.number);
  if (typeof own === "number" || !isType(own, FileMode.regular)) return;
  const entry = sourceEntry({ ...step, status: own }, file.number, part.owners, lose);
  const kind = entry.device === undefined ? "file" : entry.device.isCharacter ? "character-device" : "block-device";
  writer.entry(tarEntry(kind, path, own, entry, changes));
  if (kind === "file") writer.copyFrom(file.number, own);
  writer.end();
  // After its end: had it been changed while it was read, this would be another time than the key has seen.
  const after = statusOf(file.number);
  if (typeof after !== "number") stamp.add(step.path, fileIdentity(after));
}

function tarEntry(
  type: TarEntryType,
  name: ByteString,
  status: Pick<FileStatus, "size" | "modified">,
  entry: SourceEntry,
  { owner, mode }: Changes,
): TarEntry {
  const isDirectory = type === "directory";
  return {
    type,
    name,
    linkName: "" as ByteString,
    mode: mode === undefined ? entry.mode : mode(entry.mode, isDirectory),
    uid: owner?.uid ?? entry.uid,
    gid: owner?.gid ?? entry.gid,
    size: type === "file" ? status.size : 0,
    modified: status.modified,
    accessed: undefined,
    deviceMajor: entry.device?.major ?? 0,
    deviceMinor: entry.device?.minor ?? 0,
    attributes: entry.attributes,
    accessList: undefined,
    defaultList: undefined,
  };
}

/** Unpacks a file that is an archive into the destination; returns whether it is one. */
async function unpack(
  context: Context,
  destination: string,
  { path, parent, base, status }: FileStep,
  { owner }: Changes,
  stamp: StampHasher,
): Promise<boolean> {
  if (!isType(status, FileMode.regular)) return false;
  using file = new FileDescriptor(checkFile(openAt(parent, base, FILE_FLAGS), "open", path === "" ? base : path));
  if (!(await isArchive(file.number))) return false;
  using target = makeDirectories(context, encodeText(destination), owner ?? ROOT);
  const { losses, request } = context;
  context.size += await unpackArchive(file.number, base, target.number, request.mapping, losses.add.bind(losses));
  const after = statusOf(file.number);
  if (typeof after !== "number") stamp.add(path, fileIdentity(after));
  return true;
}

function writeText(
  context: Context,
  destination: string,
  { name, content }: { readonly name: string; readonly content: string },
  changes: Changes,
): void {
  const { losses, request } = context;
  using place = placeOfFile(context, destination, encodeText(name), changes);
  using writer = new LayerWriter(place.directory.number, request.mapping, losses.add.bind(losses), "copy");
  const bytes = Buffer.from(content);
  const entry = { ...ROOT, mode: TEXT_MODE, attributes: noAttributes, device: undefined };
  const status = { size: bytes.length, modified: { seconds: request.time, nanoseconds: 0 } };
  writer.entry(tarEntry("file", place.name, status, entry, changes));
  writer.data(bytes, 0, bytes.length, 0);
  writer.end();
  writer.finish([]);
  context.size += writer.size;
}

/** Where one file goes. */
interface FilePlace extends Disposable {
  readonly directory: FileDescriptor;
  readonly name: ByteString;
}

/**
 * Decides where a file goes: into a directory that is there, or that a slash at the end asks for; else to that name, which
 * one file alone can have.
 */
function placeOfFile(
  context: Context,
  destination: string,
  name: ByteString,
  { owner = ROOT, renamed }: Changes,
): FilePlace {
  const path = encodeText(destination);
  const target = followPath(context.request.target, path, true);
  const isInside =
    target.missing.length === 0 ? isType(target.status, FileMode.directory) : /(?:^|\/)\.?$/.test(destination);
  if (!isInside && target.missing.length === 0 && /\/$/.test(destination)) {
    throw fileError({ operation: "copy to", path, errno: Errno.ENOTDIR });
  }
  const whole = [target.path, ...target.missing].filter((part) => part !== "").join("/") as ByteString;
  if (!isInside && renamed.has(whole)) {
    const hint = `End it with a slash: ${destination}/.`;
    throw fileError({ operation: "copy several files to", path, reason: "it is not a directory", hint });
  }
  if (!isInside) renamed.add(whole);
  const [above, base] = splitPath(whole);
  const directory = makeDirectories(context, isInside ? whole : above, owner);
  return { directory, name: isInside ? name : base, [Symbol.dispose]: () => directory.close() };
}

/** Opens a directory of the target, and makes it and what is missing above it. */
function makeDirectories({ request }: Context, path: ByteString, owner: Owner): FileDescriptor {
  const { target, mapping } = request;
  const found = followPath(target, path, true);
  if (!isType(found.status, FileMode.directory)) {
    throw fileError({ operation: "copy to", path: found.path, reason: "it is not a directory", errno: Errno.ENOTDIR });
  }
  let directory = openRealDirectory(target, found.path);
  let inside = found.path;
  for (const name of found.missing) {
    using parent = directory;
    inside = insideOf(inside, name);
    checkFile(makeDirectoryAt(parent.number, name, DIRECTORY_MODE), "create the directory", inside);
    directory = new FileDescriptor(checkFile(openAt(parent.number, name, DIRECTORY_FLAGS), "open", inside));
    const { changesOwner, override } = storeOwnership({ ...owner, mode: DIRECTORY_MODE }, mapping, "dir");
    if (changesOwner) checkOwner(changeOwner(directory.number, owner.uid, owner.gid), inside, owner.uid, owner.gid);
    if (override === undefined) continue;
    checkFile(setAttribute(directory.number, OVERRIDE_STAT_ATTRIBUTE, override), "record the owner of", inside);
  }
  return directory;
}
