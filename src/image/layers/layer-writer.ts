/*
 * Putting the entries of a layer's archive into its directory.
 *
 * The archive is hostile. Each name is brought into normal form, its directory is opened by the kernel with the layer
 * as root, and the last component is only ever created: with O_EXCL, or by calls that do not follow links. When
 * something is there already it is removed first, as Docker does, but a directory stays where another entry for the
 * same directory comes. So no sequence of entries reaches anything outside.
 *
 * Directories are made with mode 0700 and get their owner, mode, attributes and times at the end: a set-group-id bit
 * or a default access control list must not rub off on what is created in them, nor must creating change their times.
 *
 * In a copy that somebody has asked for, which is no archive, something in the way is another matter: a directory is not
 * lost for a file of the same name, nor a link for a directory that lies elsewhere; the copy fails.
 *
 * Whiteouts: `.wh.NAME` becomes the mark that overlay understands. It concerns lower layers only, so when the same
 * layer has NAME as well, the entry stays; and if that is a directory it is opaque, since the namesake below it is gone.
 *
 * The disk is told to begin with each file that is not small as soon as it is there: the syncfs(2) that comes at the end
 * finds little left to wait for. Many small files go faster together, later.
 */
import {
  OPAQUE_ATTRIBUTE,
  OPAQUE_VALUE,
  OVERRIDE_STAT_ATTRIBUTE,
  overrideStatValue,
} from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { copyData } from "../../sys/copy-data.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import {
  beginWriteBack,
  changeMode,
  changeOwner,
  changeOwnerAt,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  makeSymbolicLinkAt,
  openAt,
  openAt2,
  setAttribute,
  setAttributeAt,
  setSize,
  setTimes,
  setTimesAt,
  statusAt,
  unlinkAt,
} from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { removeTreeAt } from "../../sys/remove-tree.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { writeAt } from "../../sys/write-at.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { showName } from "../tar/tar-error.ts";
import type { TarReceiver } from "../tar/tar-reader.ts";
import { dataParts } from "./data-parts.ts";
import { DirectoryCache } from "./directory-cache.ts";
import { type Loss, setEntryAttributes } from "./entry-attributes.ts";
import { normalisePath, splitPath } from "./entry-path.ts";
import { FinishedDirectories } from "./finished-directories.ts";
import { copyDirectoryMetadata, LowerDirectories, type LowerLayer } from "./implicit-directory.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { storeOwnership } from "./ownership.ts";
import type { SpaceLeft } from "./space-left.ts";
import { checkEntry, checkOwner, refusedEntry } from "./unpack-error.ts";
import { AUFS_PREFIX, hiddenName, isWhiteout, isWhiteoutStatus, OPAQUE_WHITEOUT, WHITEOUT_PREFIX } from "./whiteout.ts";
import { forEachDataPart } from "./zero-blocks.ts";

/** How a new file is opened. */
export const CREATE_FLAGS =
  OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_EXCL | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;
const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** Bytes from which on a file is not small, and after which it is time again for a large one. */
export const WRITE_BACK_SIZE = 64 << 10;
export const WRITE_BACK_STEP = 4 << 20;

/** The file that data is being written to. */
interface OpenEntry {
  readonly entry: TarEntry;
  readonly path: ByteString;
  readonly descriptor: FileDescriptor;
  /** Mode and record of the owner, as they are to be on disk. */
  readonly mode: number;
  readonly changesOwner: boolean;
  readonly override: ByteString | undefined;
  /** Where the last byte that was written lies, plus one. */
  written: number;
  /** The same when the disk was told to begin. */
  writtenBack: number;
}

export class LayerWriter implements TarReceiver, Disposable {
  readonly #root: number;
  readonly #mapping: LayerMapping;
  readonly #lose: Loss;
  readonly #content: "layer" | "tree" | "copy";
  readonly #cache: DirectoryCache;
  /** Entries of directories by path, in the order of the last entry for each. */
  readonly #directories = new Map<ByteString, TarEntry>();
  /** Directories without an entry. */
  readonly #implicit = new Set<ByteString>(["" as ByteString]);
  readonly #opaque = new Set<ByteString>();
  readonly #space: SpaceLeft | undefined;
  #file: OpenEntry | undefined;
  #size = 0;
  #hasReplacedDirectory = false;

  /**
   * @param root descriptor of the layer's empty directory, open for reading; stays the caller's. The process's umask
   *   has to be 0
   * @param lose is told of what cannot be kept
   * @param content in a `tree`, which need not be empty, names that mean whiteouts in a layer are names like others; in a
   *   `copy` besides, nothing takes the place of a directory, nor a directory that of something else
   * @param space is asked before data is written
   */
  constructor(
    root: number,
    mapping: LayerMapping,
    lose: Loss,
    content: "layer" | "tree" | "copy" = "layer",
    space?: SpaceLeft,
  ) {
    this.#root = root;
    this.#mapping = mapping;
    this.#lose = lose;
    this.#content = content;
    this.#space = space;
    const isKnown = (path: ByteString) => this.#implicit.has(path) || this.#directories.has(path);
    this.#cache = new DirectoryCache(root, isKnown, (path, origin) => {
      this.#implicit.add(path);
      if (origin === "whiteout") this.#makeOpaque(path);
    });
  }

  entry(entry: TarEntry): void {
    const path = normalisePath(entry.name);
    const [directory, base] = splitPath(path);
    if (path === "") this.#enterRoot(entry);
    else if (this.#content === "layer" && base.startsWith(WHITEOUT_PREFIX)) this.#makeWhiteout(path, directory, base);
    else this.#create(entry, path, directory, base);
  }

  data(chunk: Buffer, start: number, end: number, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    forEachDataPart(chunk, start, end, offset, (from, to, position) => {
      this.#space?.take(to - from, file.path);
      checkEntry(writeAt(file.descriptor.number, chunk, from, to, position), "write", file.path);
      file.written = position + to - from;
    });
    if (file.written - file.writtenBack < WRITE_BACK_STEP) return;
    beginWriteBack(file.descriptor.number);
    file.writtenBack = file.written;
  }

  /**
   * Copies the data of the entry from a file, instead of calls of `data`, within the kernel.
   * @param status of the file: data beyond its size is left where it is
   */
  copyFrom(source: number, status: FileStatus): void {
    const file = this.#file;
    if (file === undefined) return;
    for (const { start, end } of dataParts(source, status)) {
      const copied = checkEntry(copyData(source, file.descriptor.number, start, end - start), "write", file.path);
      file.written = start + copied;
    }
  }

  end(): void {
    if (this.#file === undefined) return;
    using descriptor = this.#file.descriptor;
    const { entry, path, mode, changesOwner, override, written } = this.#file;
    this.#file = undefined;
    const file = descriptor.number;
    this.#size += entry.size;
    if (written < entry.size) checkEntry(setSize(file, entry.size), "write", path);
    // Changing the owner takes set-id bits and capabilities away; changing the mode adjusts access control lists.
    if (changesOwner) checkOwner(changeOwner(file, entry.uid, entry.gid), path, entry.uid, entry.gid);
    if ((mode & ~0o777) !== 0) checkEntry(changeMode(file, mode), "change the mode of", path);
    if (override !== undefined) {
      checkEntry(setAttribute(file, OVERRIDE_STAT_ATTRIBUTE, override), "record the owner of", path);
    }
    setEntryAttributes(entry, path, (name, value) => setAttribute(file, name, value), this.#lose);
    checkEntry(setTimes(file, entry.accessed ?? entry.modified, entry.modified), "set the times of", path);
    if (written >= WRITE_BACK_SIZE) beginWriteBack(file);
  }

  /** Bytes of all files so far, as their lengths say. */
  get size(): number {
    return this.#size;
  }

  /** Whether a directory has been removed since something else was to have its name, or one that means the same. */
  get hasReplacedDirectory(): boolean {
    return this.#hasReplacedDirectory;
  }

  /**
   * Lets somebody else give directories what their entries say, and forgets those of which that says that it does.
   * Nothing may be added afterwards.
   */
  finishDirectories(finish: (path: ByteString, entry: TarEntry) => boolean): void {
    for (const [path, entry] of this.#directories) if (finish(path, entry)) this.#directories.delete(path);
  }

  /**
   * Gives directories their owners, modes, attributes and times. Nothing may be added afterwards.
   * @param lower the layers below, the nearest first
   */
  finish(lower: readonly LowerLayer[]): void {
    if (lower.length > 0) this.#finishImplicitDirectories(new LowerDirectories(lower));
    using finished = new FinishedDirectories((path) => this.#findDirectory(path));
    for (const [path, entry] of this.#directories) this.#finishDirectory(path, entry, finished);
  }

  /** Closes what is held open while entries come; `finish` needs none of it. */
  [Symbol.dispose](): void {
    this.#file?.descriptor.close();
    this.#cache[Symbol.dispose]();
  }

  #enterRoot(entry: TarEntry): void {
    if (entry.type !== "directory") throw refusedEntry(entry.name, "the root directory cannot be anything else");
    this.noteDirectory("" as ByteString, entry);
  }

  /** Says that a directory is there, which at the end gets what its entry says. */
  noteDirectory(path: ByteString, entry: TarEntry): void {
    this.#implicit.delete(path);
    this.#directories.delete(path);
    this.#directories.set(path, entry);
  }

  /** Says that a directory is there which has had no entry yet. */
  noteImplicitDirectory(path: ByteString): void {
    this.#implicit.add(path);
  }

  #makeWhiteout(path: ByteString, directory: ByteString, base: ByteString): void {
    if (base === OPAQUE_WHITEOUT) {
      this.#cache.open(directory);
      this.#makeOpaque(directory);
      return;
    }
    if (base.startsWith(AUFS_PREFIX)) return;
    const hidden = hiddenName(base);
    if (hidden === undefined) throw refusedEntry(path, "the whiteout hides no name");
    const parent = this.#cache.open(directory);
    const made = makeNodeAt(parent, hidden, FileMode.characterDevice);
    if (made !== -Errno.EEXIST) {
      checkEntry(made, "create the whiteout", path);
      return;
    }
    const status = statusAt(parent, hidden);
    if (typeof status === "number" || !isType(status, FileMode.directory)) return;
    this.#makeOpaque((directory === "" ? hidden : `${directory}/${hidden}`) as ByteString);
  }

  /** Hides what directories of the same path have in the layers below. */
  #makeOpaque(path: ByteString): void {
    using directory = this.#openDirectory(path);
    const result = setAttribute(directory.number, OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
    checkEntry(result, `set the attribute ${OPAQUE_ATTRIBUTE} of`, path);
    this.#opaque.add(path);
  }

  #create(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    switch (entry.type) {
      case "file":
        this.#createFile(entry, path, directory, base);
        break;
      case "directory":
        this.#createDirectory(entry, path, directory, base);
        break;
      case "symbolic-link":
        this.#make(path, directory, base, "create the symbolic link", (parent) =>
          makeSymbolicLinkAt(entry.linkName, parent, base),
        );
        this.#finishSpecial(entry, path, directory, base);
        break;
      case "hard-link":
        this.#createHardLink(entry, path, directory, base);
        break;
      case "fifo":
        this.#make(path, directory, base, "create the fifo", (parent) =>
          makeNodeAt(parent, base, FileMode.fifo | entry.mode),
        );
        this.#finishSpecial(entry, path, directory, base);
        break;
      case "character-device":
      case "block-device":
        this.#createDevice(entry, path, directory, base);
        break;
    }
  }

  /** Creates something, in the place of what has the name already. */
  #make(
    path: ByteString,
    directory: ByteString,
    base: ByteString,
    operation: string,
    create: (parent: number) => number,
  ): number {
    const result = create(this.#cache.open(directory));
    if (result !== -Errno.EEXIST) return checkEntry(result, operation, path);
    this.#remove(path, directory, base);
    return checkEntry(create(this.#cache.open(directory)), operation, path);
  }

  #remove(path: ByteString, directory: ByteString, base: ByteString): void {
    const parent = this.#cache.open(directory);
    if (unlinkAt(parent, base) < 0) {
      if (this.#content === "copy") throw refusedCopy(path, "a file cannot take the place of a directory");
      this.#hasReplacedDirectory = true;
      removeTreeAt(parent, base);
      const isInside = (other: ByteString) => other === path || other.startsWith(`${path}/`);
      for (const known of [this.#directories, this.#implicit, this.#opaque]) {
        for (const other of known.keys()) if (isInside(other)) known.delete(other);
      }
    }
    this.#cache.forget();
  }

  #createFile(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    const { changesOwner, mode, override } = storeOwnership(entry, this.#mapping, "file");
    const file = this.#make(path, directory, base, "create", (parent) =>
      openAt(parent, base, CREATE_FLAGS, mode & 0o777),
    );
    this.#file = {
      entry,
      path,
      descriptor: new FileDescriptor(file),
      mode,
      changesOwner,
      override,
      written: 0,
      writtenBack: 0,
    };
  }

  #createDirectory(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    const parent = this.#cache.open(directory);
    const made = makeDirectoryAt(parent, base, 0o700);
    if (made === -Errno.EEXIST) {
      const status = statusAt(parent, base);
      if (typeof status === "number" || !isType(status, FileMode.directory)) {
        if (this.#content === "copy") throw refusedCopy(path, "a directory cannot take the place of something else");
        const hidesLower = isWhiteout(parent, base);
        this.#remove(path, directory, base);
        checkEntry(makeDirectoryAt(this.#cache.open(directory), base, 0o700), "create the directory", path);
        if (hidesLower) this.#makeOpaque(path);
      }
    } else {
      checkEntry(made, "create the directory", path);
    }
    this.noteDirectory(path, entry);
  }

  #createHardLink(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    const target = normalisePath(entry.linkName);
    const [targetDirectory, targetBase] = splitPath(target);
    const above = this.#cache.find(targetDirectory);
    const found = above < 0 ? above : statusAt(above, targetBase);
    if (found === -Errno.ENOENT && this.#isReplaced(target) && this.#isReplaced(path)) return;
    if (typeof found === "number") {
      checkTarget(found, path, target);
      return;
    }
    if (isType(found, FileMode.directory)) {
      throw refusedEntry(path, `it is a hard link to ${showName(target)}, which is a directory`);
    }
    // The mark of a deletion is nothing that could have another name: that would be deleted as well.
    if (this.#content === "layer" && isWhiteoutStatus(found)) checkTarget(-Errno.ENOENT, path, target);
    // Its only name perhaps, by way of a symbolic link: it must not be removed to make place for itself.
    const present = statusAt(this.#cache.open(directory), base);
    if (typeof present !== "number" && present.inode === found.inode && present.fileSystem === found.fileSystem) return;
    this.#make(path, directory, base, `link to ${showName(target)}`, (parent) => {
      const targetParent = checkTarget(this.#cache.find(targetDirectory), path, target);
      return linkAt(targetParent, targetBase, parent, base);
    });
  }

  #createDevice(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    const { deviceMajor, deviceMinor, mode } = entry;
    const isCharacter = entry.type === "character-device";
    const type = isCharacter ? FileMode.characterDevice : FileMode.blockDevice;
    // A real device 0/0 would be taken for a whiteout.
    const isPossible = !isCharacter || deviceMajor !== 0 || deviceMinor !== 0;
    const made = isPossible
      ? this.#make(path, directory, base, "create the device", (parent) => {
          const result = makeNodeAt(parent, base, type | mode, deviceMajor, deviceMinor);
          return result === -Errno.EPERM ? 1 : result;
        })
      : 1;
    if (made === 0) {
      this.#finishSpecial(entry, path, directory, base);
      return;
    }
    if (this.#isReplaced(path)) return;
    this.#lose("device nodes cannot be made here; an empty file takes the place", path);
    const file = this.#make(path, directory, base, "create", (parent) => openAt(parent, base, CREATE_FLAGS, 0));
    const kind = `${isCharacter ? "char" : "block"}-${deviceMajor}-${deviceMinor}`;
    this.#file = {
      entry: { ...entry, attributes: new Map(), accessList: undefined },
      path,
      descriptor: new FileDescriptor(file),
      mode: 0,
      changesOwner: this.#mapping === "full",
      override: overrideStatValue(entry.uid, entry.gid, mode, kind),
      written: 0,
      writtenBack: 0,
    };
  }

  /** Whether a path cannot be seen in a container, whose own /dev lies over that of the image. */
  #isReplaced(path: ByteString): boolean {
    return this.#content === "layer" && path.startsWith("dev/");
  }

  /** Gives something that is neither a file nor a directory its owner, attributes and times. */
  #finishSpecial(entry: TarEntry, path: ByteString, directory: ByteString, base: ByteString): void {
    const parent = this.#cache.open(directory);
    const { uid, gid, modified } = entry;
    if (this.#mapping === "full") checkOwner(changeOwnerAt(parent, base, uid, gid), path, uid, gid);
    setEntryAttributes(entry, path, (name, value) => setAttributeAt(parent, base, name, value), this.#lose);
    checkEntry(setTimesAt(parent, base, entry.accessed ?? modified, modified), "set the times of", path);
  }

  #openDirectory(path: ByteString): FileDescriptor {
    return new FileDescriptor(checkEntry(this.#findDirectory(path), "open the directory", path));
  }

  /** Opens a directory for reading; the descriptor, which is the caller's, or the negated error number. */
  #findDirectory(path: ByteString): number {
    const name = (path === "" ? "." : path) as ByteString;
    return openAt2(this.#root, name, DIRECTORY_FLAGS, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS);
  }

  #finishDirectory(path: ByteString, entry: TarEntry, finished: FinishedDirectories): void {
    const found = finished.open(path);
    // Under another name for it, by way of a symbolic link, the directory may have been replaced.
    if (found === -Errno.ENOENT || found === -Errno.ENOTDIR || found === -Errno.ELOOP) return;
    const file = checkEntry(found, "open the directory", path);
    const { uid, gid, modified } = entry;
    const { changesOwner, mode, override } = storeOwnership(entry, this.#mapping, "dir");
    if (changesOwner) checkOwner(changeOwner(file, uid, gid), path, uid, gid);
    checkEntry(changeMode(file, mode), "change the mode of", path);
    if (override !== undefined) {
      checkEntry(setAttribute(file, OVERRIDE_STAT_ATTRIBUTE, override), "record the owner of", path);
    }
    setEntryAttributes(entry, path, (name, value) => setAttribute(file, name, value), this.#lose);
    checkEntry(setTimes(file, entry.accessed ?? modified, modified), "set the times of", path);
  }

  /** Whether what the layers below have at a path is hidden by this one. */
  #isHiding(path: ByteString): boolean {
    for (let above = path; ; [above] = splitPath(above)) {
      if (this.#opaque.has(above)) return true;
      if (above === "") return false;
    }
  }

  /** Directories without an entry look as in the layers below. Most of an archive follow one that is new with this layer. */
  #finishImplicitDirectories(lower: LowerDirectories): void {
    let newWithLayer: string | undefined;
    for (const path of this.#implicit) {
      if (newWithLayer !== undefined && path.startsWith(newWithLayer)) continue;
      newWithLayer = this.#finishImplicit(path, lower) ? undefined : `${path}/`;
    }
  }

  /** Says whether there is something below that the directory could look as, unless this layer hides it. */
  #finishImplicit(path: ByteString, lower: LowerDirectories): boolean {
    if (this.#opaque.size > 0 && this.#isHiding(path)) return true;
    using found = lower.find(path);
    if (found === undefined) return false;
    const own = this.#findDirectory(path);
    if (own < 0) return true;
    using directory = new FileDescriptor(own);
    copyDirectoryMetadata(found.number, directory.number, path, this.#mapping);
    return true;
  }
}

function refusedCopy(path: ByteString, reason: string): BunkerError {
  return new BunkerError({ code: "copy_failed", operation: "copy to", object: showName(path), reason, exitStatus: 1 });
}

/**
 * Turns the kernel's answer about the target of a hard link into an error.
 * @throws BunkerError `layer_refused` when there is none; as `checkEntry` otherwise
 */
export function checkTarget(result: number, path: ByteString, target: ByteString): number {
  if (result === -Errno.ENOENT || result === -Errno.ENOTDIR || result === -Errno.ELOOP) {
    throw refusedEntry(path, `it is a hard link to ${showName(target)}, which this layer does not have`);
  }
  return checkEntry(result, "find the target of the hard link", path);
}
