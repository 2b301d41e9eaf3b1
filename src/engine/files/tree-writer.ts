/*
 * The receiving end of a copy: entries of an archive become files in a directory.
 *
 * Who owns that directory may change it meanwhile. Nothing is therefore reached by a path of ours: the directory of an
 * entry is opened by the function that the writer is given, which knows how far links may lead, and the entry is made in
 * it by its own name, which is never followed. What is not a directory is made whole beside its place and then renamed to
 * it, so that neither a full disk nor a kill leaves half a file under the name, and readers see the old or the new one. Until
 * it is whole a file has no name at all where the file system knows such files, so that a kill leaves nothing.
 *
 * Directories that are there already stay, and get the new ones' modes and times. A directory is never replaced by
 * something else, nor something else by a directory, as with Docker. Modes and times of directories come last, when
 * nothing is added to them any more.
 */

import { type Loss, setEntryAttributes } from "../../image/layers/entry-attributes.ts";
import { normalisePath, splitPath } from "../../image/layers/entry-path.ts";
import { forEachDataPart } from "../../image/layers/zero-blocks.ts";
import type { TarEntry } from "../../image/tar/tar-entry.ts";
import { showName } from "../../image/tar/tar-error.ts";
import type { TarReceiver } from "../../image/tar/tar-reader.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import {
  changeMode,
  changeOwner,
  changeOwnerAt,
  linkAt,
  linkDescriptorAt,
  makeDirectoryAt,
  makeNodeAt,
  makeSymbolicLinkAt,
  openAt,
  openAt2,
  renameAt,
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
import { FileMode, isType } from "../../sys/stat.ts";
import { writeAt } from "../../sys/write-at.ts";
import { checkCopy, copyError } from "./copy-error.ts";

const CREATE_FLAGS = OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_EXCL | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;
const NAMELESS_FLAGS = OpenFlag.O_WRONLY | OpenFlag.O_TMPFILE | OpenFlag.O_CLOEXEC;
const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** Where files are written, and what they get of the entries. */
export interface TreeDestination {
  /** Opens (O_PATH) a directory by its path in the archive, the destination itself by the empty one; a negated error number otherwise. */
  openDirectory(path: ByteString): number;
  /** Who gets the files; undefined keeps the entries' owners. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Whether files are for the host: what would give rights there, set-id bits and capabilities, is taken away. */
  readonly isHost: boolean;
  /** Whether a directory may take the place of something else, and the other way round. */
  readonly overwrites: boolean;
}

/** The file that data is being written to. */
interface OpenFile {
  readonly entry: TarEntry;
  readonly path: ByteString;
  readonly parent: FileDescriptor;
  readonly temporary: ByteString;
  /** Whether it has the temporary name already. */
  readonly isNamed: boolean;
  readonly descriptor: FileDescriptor;
  written: number;
}

export class TreeWriter implements TarReceiver, Disposable {
  readonly #destination: TreeDestination;
  readonly #lose: Loss;
  readonly #directories = new Map<ByteString, TarEntry>();
  #file: OpenFile | undefined;
  #size = 0;

  /** @param lose is told of what cannot be kept */
  constructor(destination: TreeDestination, lose: Loss) {
    this.#destination = destination;
    this.#lose = lose;
  }

  /** Bytes of all files so far. */
  get size(): number {
    return this.#size;
  }

  entry(entry: TarEntry): void {
    const path = normalisePath(entry.name);
    if (path === "") return;
    const [directory, base] = splitPath(path);
    const parent = this.#openDirectory(directory);
    if (entry.type === "file") {
      this.#createFile(entry, path, parent, base);
      return;
    }
    using _ = parent;
    if (entry.type === "directory") this.#createDirectory(entry, path, parent.number, base);
    else this.#createOther(entry, path, parent.number, base);
  }

  data(chunk: Buffer, start: number, end: number, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    forEachDataPart(chunk, start, end, offset, (from, to, position) => {
      checkCopy(writeAt(file.descriptor.number, chunk, from, to, position), "write", file.path);
      file.written = position + to - from;
    });
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    const { entry, path, parent, temporary, isNamed, descriptor, written } = file;
    if (written < entry.size) checkCopy(setSize(descriptor.number, entry.size), "write", path);
    this.#finishOpen(entry, path, descriptor.number);
    const [, base] = splitPath(path);
    if (!isNamed) checkCopy(linkDescriptorAt(descriptor.number, parent.number, temporary), "create", path);
    checkCopy(renameAt(parent.number, temporary, parent.number, base), "put in its place", path);
    this.#file = undefined;
    descriptor.close();
    parent.close();
    this.#size += entry.size;
  }

  /** Gives directories their owners, modes and times. Nothing may be added afterwards. */
  finish(): void {
    for (const [path, entry] of [...this.#directories].reverse()) {
      const [directory, base] = splitPath(path);
      using parent = this.#openDirectory(directory);
      const opened = openAt(parent.number, base, DIRECTORY_FLAGS);
      using file = new FileDescriptor(checkCopy(opened, "open the directory", path));
      this.#finishOpen(entry, path, file.number);
    }
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    const { parent, temporary, descriptor } = this.#file;
    unlinkAt(parent.number, temporary);
    descriptor.close();
    parent.close();
    this.#file = undefined;
  }

  /** Opens the directory of an entry; archives may leave out the entries of directories, which are made then. */
  #openDirectory(path: ByteString): FileDescriptor {
    const opened = this.#destination.openDirectory(path);
    if (opened !== -Errno.ENOENT || path === "")
      return new FileDescriptor(checkCopy(opened, "open the directory", path));
    const [above, base] = splitPath(path);
    using parent = this.#openDirectory(above);
    checkCopy(makeDirectoryAt(parent.number, base, 0o755), "create the directory", path);
    const { owner } = this.#destination;
    if (owner !== undefined) this.#checkOwner(changeOwnerAt(parent.number, base, owner.uid, owner.gid), path, owner);
    return new FileDescriptor(checkCopy(this.#destination.openDirectory(path), "open the directory", path));
  }

  #createDirectory(entry: TarEntry, path: ByteString, parent: number, base: ByteString): void {
    const made = makeDirectoryAt(parent, base, 0o700);
    if (made === -Errno.EEXIST) {
      const status = statusAt(parent, base);
      if (typeof status === "number" || !isType(status, FileMode.directory)) {
        // A link to a directory, where links may be followed, is as good as the directory, and stays as it is.
        const behind = this.#destination.openDirectory(path);
        if (behind >= 0) {
          new FileDescriptor(behind).close();
          return;
        }
        if (!this.#destination.overwrites) throw refused(path, "a directory cannot take the place of something else");
        checkNothingMounted(parent, base, path);
        checkCopy(unlinkAt(parent, base), "remove", path);
        checkCopy(makeDirectoryAt(parent, base, 0o700), "create the directory", path);
      }
    } else {
      checkCopy(made, "create the directory", path);
    }
    this.#directories.delete(path);
    this.#directories.set(path, entry);
  }

  #createFile(entry: TarEntry, path: ByteString, parent: FileDescriptor, base: ByteString): void {
    try {
      this.#makeReplaceable(parent.number, base, path);
      const temporary = temporaryName();
      const nameless = openAt(parent.number, "." as ByteString, NAMELESS_FLAGS, 0o600);
      const isNamed = nameless < 0;
      const opened = isNamed ? openAt(parent.number, temporary, CREATE_FLAGS, 0o600) : nameless;
      const descriptor = new FileDescriptor(checkCopy(opened, "create", path));
      this.#file = { entry, path, parent, temporary, isNamed, descriptor, written: 0 };
    } catch (error) {
      parent.close();
      throw error;
    }
  }

  #createOther(entry: TarEntry, path: ByteString, parent: number, base: ByteString): void {
    this.#makeReplaceable(parent, base, path);
    const temporary = temporaryName();
    const made = this.#make(entry, path, parent, temporary);
    if (made === -Errno.EPERM && entry.type.endsWith("-device")) {
      this.#lose("device nodes cannot be made here and were left out", path);
      return;
    }
    checkCopy(made, `create the ${entry.type.replace("-", " ")}`, path);
    try {
      if (entry.type !== "hard-link") this.#finishSpecial(entry, path, parent, temporary);
      checkCopy(renameAt(parent, temporary, parent, base), "put in its place", path);
    } finally {
      // Also of two names of one file: the kernel renames neither to the other.
      unlinkAt(parent, temporary);
    }
  }

  /** Sees to it that something that is no directory may be put in the place of what has a name. */
  #makeReplaceable(parent: number, base: ByteString, path: ByteString): void {
    checkNothingMounted(parent, base, path);
    const status = statusAt(parent, base);
    if (typeof status === "number" || !isType(status, FileMode.directory)) return;
    if (!this.#destination.overwrites) throw refused(path, "something else cannot take the place of a directory");
    removeTreeAt(parent, base);
  }

  #make(entry: TarEntry, path: ByteString, parent: number, name: ByteString): number {
    const { type, linkName, deviceMajor, deviceMinor } = entry;
    switch (type) {
      case "symbolic-link":
        return makeSymbolicLinkAt(linkName, parent, name);
      case "hard-link": {
        const [directory, base] = splitPath(normalisePath(linkName));
        using target = this.#openDirectory(directory);
        return checkCopy(linkAt(target.number, base, parent, name), `link to ${showName(linkName)}`, path);
      }
      case "fifo":
        return makeNodeAt(parent, name, FileMode.fifo | this.#modeOf(entry));
      case "character-device":
        return makeNodeAt(parent, name, FileMode.characterDevice | this.#modeOf(entry), deviceMajor, deviceMinor);
      case "block-device":
        return makeNodeAt(parent, name, FileMode.blockDevice | this.#modeOf(entry), deviceMajor, deviceMinor);
      default:
        throw new Error(`${type} is made elsewhere`);
    }
  }

  #modeOf({ mode }: TarEntry): number {
    return this.#destination.isHost ? mode & ~(FileMode.setUserId | FileMode.setGroupId) : mode;
  }

  #ownerOf(entry: TarEntry) {
    return this.#destination.owner ?? entry;
  }

  /** Attributes that may be kept: on the host none that the kernel gives rights by. */
  #kept(entry: TarEntry): TarEntry {
    if (!this.#destination.isHost) return entry;
    const attributes = new Map([...entry.attributes].filter(([name]) => name.startsWith("user.")));
    return { ...entry, attributes, accessList: undefined, defaultList: undefined };
  }

  #finishOpen(entry: TarEntry, path: ByteString, file: number): void {
    const owner = this.#ownerOf(entry);
    // Changing the owner takes set-id bits and capabilities away.
    this.#checkOwner(changeOwner(file, owner.uid, owner.gid), path, owner);
    checkCopy(changeMode(file, this.#modeOf(entry)), "change the mode of", path);
    setEntryAttributes(this.#kept(entry), path, (name, value) => setAttribute(file, name, value), this.#lose);
    checkCopy(setTimes(file, entry.accessed ?? entry.modified, entry.modified), "set the times of", path);
  }

  #finishSpecial(entry: TarEntry, path: ByteString, parent: number, name: ByteString): void {
    const owner = this.#ownerOf(entry);
    this.#checkOwner(changeOwnerAt(parent, name, owner.uid, owner.gid), path, owner);
    const set = (attribute: ByteString, value: ByteString) => setAttributeAt(parent, name, attribute, value);
    setEntryAttributes(this.#kept(entry), path, set, this.#lose);
    checkCopy(setTimesAt(parent, name, entry.accessed ?? entry.modified, entry.modified), "set the times of", path);
  }

  #checkOwner(result: number, path: ByteString, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
    if (result !== -Errno.EINVAL) {
      checkCopy(result, "change the owner of", path);
      return;
    }
    throw copyError({
      operation: "change the owner of",
      object: showName(path),
      reason: `user ${uid} or group ${gid} is outside of the ids that are available`,
    });
  }
}

function temporaryName(): ByteString {
  return `.bunker-${crypto.randomUUID()}` as ByteString;
}

/**
 * Not in the place of what something is mounted on: the kernel would permit it, since we are in another mount namespace
 * than the container, and would take the container's mount away.
 */
function checkNothingMounted(parent: number, base: ByteString, path: ByteString): void {
  const opened = openAt2(parent, base, OpenFlag.O_PATH | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC, Resolve.NO_XDEV);
  if (opened >= 0) new FileDescriptor(opened).close();
  if (opened === -Errno.EXDEV) checkCopy(-Errno.EBUSY, "replace", path);
}

function refused(path: ByteString, reason: string): Error {
  return copyError({ operation: "create", object: showName(path), reason });
}
