/*
 * Putting the entries of a layer's archive into its directory, without waiting for the kernel.
 *
 * Most entries make something that was not there in a directory that this layer has made. Nothing can be in the way of
 * them, so their system calls are queued (launch/call-queue.ts), and this side reads on in the archive. All others are
 * `LayerWriter`'s, which asks the kernel at each step; before one of those the queue is drained, so everything happens in
 * the order of the archive.
 *
 * What was not there is known without the kernel:
 *
 * - A directory is **plain** when it was made here, by its own name in a plain directory; the layer's root is one. No
 *   symbolic link lies on its path, and no other path leads to it. So names in it can be given to the kernel with their
 *   whole path from the root on, which takes it less time than opening and closing each directory.
 * - Hashes of all paths are kept. An entry whose path has no known hash, in a plain directory, is new. Two paths may
 *   have the same hash: then the second one takes the slow way for nothing.
 *
 * What plain directories get at the end is queued as well. They are made with their modes, but for the special bits: who
 * makes files can do so in directories of any mode.
 *
 * An entry in a directory that is not plain may add to a plain one by another path. From such an entry on, and when a
 * directory is replaced, the rest of the layer is `LayerWriter`'s. Hardly any layer has one.
 */
import { OVERRIDE_STAT_ATTRIBUTE } from "../../mount/overlay-attributes.ts";
import { asRoot, type RootCalls } from "../../runtime/root-calls.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { PATH_MAX, SYNC_FILE_RANGE_WRITE, setAttribute, statusOf } from "../../sys/file.ts";
import { AT_SYMLINK_NOFOLLOW } from "../../sys/open.ts";
import { FileMode } from "../../sys/stat.ts";
import { SystemCall } from "../../sys/system-call.ts";
import { withoutSlowestCompiler } from "../../sys/without-slowest-compiler.ts";
import { writeAt } from "../../sys/write-at.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { showName } from "../tar/tar-error.ts";
import type { TarReceiver } from "../tar/tar-reader.ts";
import { hasEntryAttributes, type Loss, setEntryAttributes } from "./entry-attributes.ts";
import { normalisePath, splitPath } from "./entry-path.ts";
import { type FileMaker, NOT_OPEN } from "./file-maker.ts";
import type { LowerLayer } from "./implicit-directory.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { CREATE_FLAGS, LayerWriter, WRITE_BACK_SIZE, WRITE_BACK_STEP } from "./layer-writer.ts";
import { type StoredOwnership, storeOwnership } from "./ownership.ts";
import { SpaceLeft } from "./space-left.ts";
import { checkEntry } from "./unpack-error.ts";
import { hiddenName, WHITEOUT_PREFIX } from "./whiteout.ts";
import { forEachDataPart } from "./zero-blocks.ts";

/** Calls and bytes that one step queues at most: no more than two paths, two structures, and an owner. */
const STEP_OPERATIONS = 16;
const STEP_BYTES = 3 * PATH_MAX;
/** Of the layer's own directory, which somebody else has made. */
const UNKNOWN_MODE = -1;

/** The file that data is being written to. */
interface QueuedFile extends StoredOwnership {
  readonly entry: TarEntry;
  readonly path: ByteString;
  /** Where the last byte that was written lies, plus one; and the same when the disk was told to begin. */
  written: number;
  writtenBack: number;
}

export class QueuedLayerWriter implements TarReceiver, Disposable {
  readonly #layer: number;
  readonly #root: RootCalls | undefined;
  readonly #mapping: LayerMapping;
  readonly #lose: Loss;
  readonly #queue: FileMaker["queue"];
  readonly #space: SpaceLeft;
  readonly #writer: LayerWriter;
  /** Whether new files belong to user and group 0 without being given to them. */
  readonly #belongsToRoot: boolean;
  /** Plain directories, and the modes that they were made with. */
  readonly #plain = new Map<ByteString, number>([["" as ByteString, UNKNOWN_MODE]]);
  readonly #known = new Set<number>();
  /** Hashes of the paths that a whiteout has hidden: known, but nothing that a hard link could lead to. */
  readonly #hidden = new Set<number>();
  readonly #fileSlot: FileMaker["file"];
  #file: QueuedFile | undefined;
  /** The piece of the archive that is being read, and its address. */
  #piece: Buffer | undefined;
  #address: number | undefined;
  /** Whether everything that comes is `LayerWriter`'s. */
  #isDirect = false;
  #size = 0;

  /**
   * @param layer descriptor of the layer's empty directory, open for reading; stays the caller's. The process's umask
   *   has to be 0
   * @param lose is told of what cannot be kept
   * @param maker nobody else's until `settle`; after a failure nobody's
   * @param root does what `maker` does not, where it takes root; undefined when the caller is root
   */
  constructor(
    layer: number,
    mapping: LayerMapping,
    lose: Loss,
    { queue, file }: FileMaker,
    root: RootCalls | undefined,
  ) {
    this.#layer = layer;
    this.#root = root;
    this.#mapping = mapping;
    this.#lose = lose;
    this.#queue = queue;
    this.#fileSlot = file;
    this.#space = new SpaceLeft(layer, () => this.#queue.drain());
    this.#writer = new LayerWriter(layer, mapping, lose, "layer", this.#space);
    const status = asRoot(root, () => statusOf(layer));
    this.#belongsToRoot = typeof status !== "number" && status.gid === 0;
    // Called for every entry of an archive.
    withoutSlowestCompiler(
      QueuedLayerWriter,
      this.#enter,
      this.#note,
      this.#makeParents,
      this.#createFile,
      this.#makeSymbolicLink,
      this.#isRoots,
    );
  }

  /** Bytes of all files so far, as their lengths say. */
  get size(): number {
    return this.#size + this.#writer.size;
  }

  /**
   * Says which bytes of the archive are read next.
   * @param address of the piece's first byte, where it stays until the queue has passed `position`; undefined when it
   *   does not
   */
  beginPiece(piece: Buffer, address: number | undefined): void {
    this.#piece = piece;
    this.#address = address;
  }

  /** Has the kernel begin with what was queued; returns what `waitFor` takes for all of it. */
  submit(): number {
    this.#queue.submit();
    return this.#queue.position;
  }

  /** Waits until what was submitted was done. */
  waitFor(position: number): void {
    this.#queue.waitFor(position);
  }

  entry(entry: TarEntry): void {
    const path = normalisePath(entry.name);
    if (this.#isDirect || path === "") {
      asRoot(this.#root, () => this.#writer.entry(entry));
      return;
    }
    const [directory, base] = splitPath(path);
    if (!this.#makeParents(directory)) this.#isDirect = true;
    else if (this.#enter(entry, path, base)) return;
    this.#queue.drain();
    asRoot(this.#root, () => this.#writer.entry(entry));
    // Something is in the place of the directory, and what was in it is gone. The kernel says so, not the path: to some
    // file systems names that differ in case are the same.
    if (this.#writer.hasReplacedDirectory) this.#isDirect = true;
  }

  data(chunk: Buffer, start: number, end: number, offset: number): void {
    const file = this.#file;
    if (file === undefined) {
      this.#writer.data(chunk, start, end, offset);
      return;
    }
    const { path } = file;
    const address = chunk === this.#piece ? this.#address : undefined;
    forEachDataPart(chunk, start, end, offset, (from, to, position) => {
      this.#space.take(to - from, path);
      this.#queue.reserve(STEP_OPERATIONS, 0);
      if (address === undefined) {
        this.#queue.drain();
        checkEntry(writeAt(this.#queue.read(this.#fileSlot), chunk, from, to, position), "write", path);
      } else {
        this.#queue.writeAt(this.#fileSlot, address + from, to - from, position, { path, operation: "write" });
      }
      file.written = position + to - from;
    });
    if (file.written - file.writtenBack < WRITE_BACK_STEP) return;
    this.#beginWriteBack(path);
    file.writtenBack = file.written;
  }

  end(): void {
    if (this.#file === undefined) {
      asRoot(this.#root, () => this.#writer.end());
      return;
    }
    const { entry, path, mode, changesOwner, override, written } = this.#file;
    this.#file = undefined;
    const queue = this.#queue;
    const file = this.#fileSlot;
    queue.reserve(STEP_OPERATIONS, STEP_BYTES);
    this.#size += entry.size;
    if (written < entry.size) queue.call(SystemCall.ftruncate, [file, entry.size], { path, operation: "write" });
    // Changing the owner takes set-id bits and capabilities away; changing the mode adjusts access control lists.
    if (changesOwner && !this.#isRoots(entry)) {
      queue.call(SystemCall.fchown, [file, entry.uid, entry.gid], {
        path,
        operation: "change the owner of",
        owner: entry,
      });
    }
    if ((mode & ~0o777) !== 0) queue.call(SystemCall.fchmod, [file, mode], { path, operation: "change the mode of" });
    if (override !== undefined) {
      const words = [file, queue.text(OVERRIDE_STAT_ATTRIBUTE), queue.text(override), override.length, 0];
      queue.call(SystemCall.fsetxattr, words, { path, operation: "record the owner of" });
    }
    if (hasEntryAttributes(entry)) {
      queue.drain();
      const descriptor = queue.read(file);
      const set = (name: ByteString, value: ByteString) => setAttribute(descriptor, name, value);
      asRoot(this.#root, () => setEntryAttributes(entry, path, set, this.#lose));
    }
    const times = queue.times(entry.accessed ?? entry.modified, entry.modified);
    queue.call(SystemCall.utimensat, [file, 0, times, 0], { path, operation: "set the times of" });
    if (written >= WRITE_BACK_SIZE) this.#beginWriteBack(path);
    queue.call(SystemCall.close, [file], { path, operation: "close" }, { ignoresErrors: true });
    queue.set(file, NOT_OPEN);
  }

  /**
   * Waits until all files are there, and plain directories have what belongs to them. To be called after the last entry,
   * and before the memory of any piece is used again.
   */
  settle(): void {
    if (!this.#isDirect) this.#writer.finishDirectories((path, entry) => this.#finishDirectory(path, entry));
    this.#queue.drain();
    this[Symbol.dispose]();
  }

  /** As `LayerWriter.finish`, after `settle`. */
  finish(lower: readonly LowerLayer[]): void {
    asRoot(this.#root, () => this.#writer.finish(lower));
  }

  /** Whether it is sure that the layer has nothing at a path whose parent is a directory there. */
  lacks(path: ByteString): boolean {
    // Longer paths than the kernel takes are `LayerWriter`'s alone.
    return !this.#isDirect && path !== "" && isWritable(path) && !this.#known.has(Bun.hash.crc32(path));
  }

  /** Closes what is held open while entries come; `finish` needs none of it. */
  [Symbol.dispose](): void {
    this.#writer[Symbol.dispose]();
  }

  /** Queues what makes an entry in a plain directory, if that is sure to be new; says whether it is. */
  #enter(entry: TarEntry, path: ByteString, base: ByteString): boolean {
    if (!isWritable(path)) return false;
    if (base.startsWith(WHITEOUT_PREFIX)) return this.#makeWhiteout(path, base);
    if (this.#plain.has(path)) {
      if (entry.type === "directory") this.#writer.noteDirectory(path, entry);
      return entry.type === "directory";
    }
    if (!this.#note(path)) return false;
    this.#queue.reserve(STEP_OPERATIONS, STEP_BYTES);
    switch (entry.type) {
      case "hard-link":
        return this.#makeHardLink(entry, path);
      case "file":
        this.#createFile(entry, path);
        return true;
      case "directory":
        this.#makeDirectory(path, entry.mode & 0o777);
        this.#writer.noteDirectory(path, entry);
        return true;
      case "symbolic-link":
        if (!isWritable(entry.linkName) || hasEntryAttributes(entry)) return false;
        this.#makeSymbolicLink(entry, path);
        return true;
      default:
        // Where a device cannot be made, something else takes its place.
        return false;
    }
  }

  /** Notes that there is something at a path; says whether there was nothing. */
  #note(path: ByteString): boolean {
    const hash = Bun.hash.crc32(path);
    const isNew = !this.#known.has(hash);
    if (isNew) this.#known.add(hash);
    return isNew;
  }

  /** Makes the directories of a path that no entry has been for; says whether all are plain ones. */
  #makeParents(path: ByteString): boolean {
    if (this.#plain.has(path)) return true;
    const [above] = splitPath(path);
    if (!this.#makeParents(above) || !isWritable(path) || !this.#note(path)) return false;
    this.#queue.reserve(STEP_OPERATIONS, STEP_BYTES);
    this.#makeDirectory(path, 0o755);
    this.#writer.noteImplicitDirectory(path);
    return true;
  }

  #makeDirectory(path: ByteString, mode: number): void {
    const words = [this.#layer, this.#queue.text(path), mode];
    this.#queue.call(SystemCall.mkdirat, words, { path, operation: "create the directory" });
    this.#plain.set(path, mode);
  }

  /** Queues what a directory gets at the end; says whether that is possible. */
  #finishDirectory(path: ByteString, entry: TarEntry): boolean {
    const madeMode = this.#plain.get(path);
    const place = `/proc/self/fd/${this.#layer}/${path}` as ByteString;
    if (madeMode === undefined || hasEntryAttributes(entry) || !isWritable(place)) return false;
    const { changesOwner, mode, override } = storeOwnership(entry, this.#mapping, "dir");
    const queue = this.#queue;
    queue.reserve(STEP_OPERATIONS, STEP_BYTES);
    const name = queue.text((path === "" ? "." : path) as ByteString);
    if (changesOwner && !this.#isRoots(entry)) {
      const words = [this.#layer, name, entry.uid, entry.gid, 0];
      queue.call(SystemCall.fchownat, words, { path, operation: "change the owner of", owner: entry });
    }
    if (mode !== madeMode) {
      queue.call(SystemCall.fchmodat, [this.#layer, name, mode], { path, operation: "change the mode of" });
    }
    if (override !== undefined) {
      const words = [queue.text(place), queue.text(OVERRIDE_STAT_ATTRIBUTE), queue.text(override), override.length, 0];
      queue.call(SystemCall.lsetxattr, words, { path, operation: "record the owner of" });
    }
    const times = queue.times(entry.accessed ?? entry.modified, entry.modified);
    queue.call(SystemCall.utimensat, [this.#layer, name, times, 0], { path, operation: "set the times of" });
    return true;
  }

  #createFile(entry: TarEntry, path: ByteString): void {
    const stored = storeOwnership(entry, this.#mapping, "file");
    const words = [this.#layer, this.#queue.text(path), CREATE_FLAGS, stored.mode & 0o777];
    this.#queue.call(SystemCall.openat, words, { path, operation: "create" }, { result: this.#fileSlot });
    this.#file = { ...stored, entry, path, written: 0, writtenBack: 0 };
  }

  #makeSymbolicLink(entry: TarEntry, path: ByteString): void {
    const queue = this.#queue;
    const name = queue.text(path);
    const link = queue.text(entry.linkName);
    queue.call(SystemCall.symlinkat, [link, this.#layer, name], { path, operation: "create the symbolic link" });
    if (this.#mapping === "full" && !this.#isRoots(entry)) {
      const words = [this.#layer, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW];
      queue.call(SystemCall.fchownat, words, { path, operation: "change the owner of", owner: entry });
    }
    const times = queue.times(entry.accessed ?? entry.modified, entry.modified);
    const words = [this.#layer, name, times, AT_SYMLINK_NOFOLLOW];
    queue.call(SystemCall.utimensat, words, { path, operation: "set the times of" });
  }

  #makeHardLink(entry: TarEntry, path: ByteString): boolean {
    const target = normalisePath(entry.linkName);
    const [directory] = splitPath(target);
    const hash = Bun.hash.crc32(target);
    const isThere = this.#plain.has(directory) && this.#known.has(hash) && !this.#hidden.has(hash);
    if (!isThere || !isWritable(target) || this.#plain.has(target) || target === path) return false;
    // Devices may have been left out there.
    if (target.startsWith("dev/")) return false;
    const words = [this.#layer, this.#queue.text(target), this.#layer, this.#queue.text(path), 0];
    this.#queue.call(SystemCall.linkat, words, { path, operation: `link to ${showName(target)}`, target });
    return true;
  }

  #makeWhiteout(path: ByteString, base: ByteString): boolean {
    const hidden = hiddenName(base);
    if (hidden === undefined) return false;
    const name = (path.slice(0, path.length - base.length) + hidden) as ByteString;
    this.#hidden.add(Bun.hash.crc32(name));
    if (!this.#note(name)) return false;
    this.#queue.reserve(STEP_OPERATIONS, STEP_BYTES);
    const words = [this.#layer, this.#queue.text(name), FileMode.characterDevice, 0];
    this.#queue.call(SystemCall.mknodat, words, { path, operation: "create the whiteout" });
    return true;
  }

  #beginWriteBack(path: ByteString): void {
    const words = [this.#fileSlot, 0, 0, SYNC_FILE_RANGE_WRITE];
    this.#queue.reserve(STEP_OPERATIONS, 0);
    this.#queue.call(SystemCall.sync_file_range, words, { path, operation: "write" }, { ignoresErrors: true });
  }

  #isRoots({ uid, gid }: TarEntry): boolean {
    return this.#belongsToRoot && uid === 0 && gid === 0;
  }
}

/** Whether the kernel can be given a text as a path. */
function isWritable(text: ByteString): boolean {
  return text.length < PATH_MAX && !text.includes("\0");
}
