/*
 * Directories that an archive has no entry for, but entries in. Overlay shows a directory with the owner, mode and
 * times of the uppermost layer that has it, so they get those of the layers below.
 */
import { OPAQUE_ATTRIBUTE, OPAQUE_VALUE } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import {
  changeMode,
  changeOwner,
  getAttribute,
  listAttributes,
  openAt2,
  setAttribute,
  setTimes,
  statusOf,
} from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { FileMode } from "../../sys/stat.ts";
import { splitPath } from "./entry-path.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { checkEntry } from "./unpack-error.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** A layer that lies below another one. */
export interface LowerLayer {
  /** Descriptor of its directory, which stays the caller's. */
  readonly descriptor: number;
  /** Whether it is known without the kernel that there is nothing at a path, whose parent is a directory there. */
  readonly lacks?: (path: ByteString) => boolean;
}

/**
 * The directories that the layers below have. Of each path it is remembered which layers have it, so that what lies in
 * it is looked for in those only: in most directories that a layer brings nothing lies below.
 */
export class LowerDirectories {
  readonly #layers: readonly LowerLayer[];
  readonly #merged = new Map<ByteString, readonly LowerLayer[]>();

  /** @param layers the uppermost first */
  constructor(layers: readonly LowerLayer[]) {
    this.#layers = layers;
  }

  /**
   * Finds the directory that overlay would show at a path.
   * @returns undefined when there is none, or something else hides it
   */
  find(path: ByteString): FileDescriptor | undefined {
    const [uppermost] = this.#layersWith(path);
    if (uppermost === undefined) return undefined;
    return new FileDescriptor(checkEntry(openIn(uppermost, path), "open the lower directory", path));
  }

  /** The layers whose directories overlay would show at a path, one through the other. */
  #layersWith(path: ByteString): readonly LowerLayer[] {
    if (path === "") return this.#layers;
    let merged = this.#merged.get(path);
    if (merged === undefined) {
      const [above] = splitPath(path);
      merged = withDirectory(this.#layersWith(above), path);
      this.#merged.set(path, merged);
    }
    return merged;
  }
}

/** Those of the layers that have a directory at a path, down to where something hides what is below. */
function withDirectory(layers: readonly LowerLayer[], path: ByteString): LowerLayer[] {
  const found: LowerLayer[] = [];
  for (const layer of layers) {
    if (layer.lacks?.(path) === true) continue;
    const result = openIn(layer, path);
    if (result === -Errno.ENOENT) continue;
    // A whiteout, a file or a symbolic link.
    if (result === -Errno.ENOTDIR || result === -Errno.ELOOP) break;
    using directory = new FileDescriptor(checkEntry(result, "open the lower directory", path));
    found.push(layer);
    if (isOpaque(directory.number)) break;
  }
  return found;
}

/** Hardly any directory has attributes, and to list none is less than to ask for one as root. */
function isOpaque(directory: number): boolean {
  const names = listAttributes(directory);
  if (typeof names !== "number" && !names.includes(OPAQUE_ATTRIBUTE)) return false;
  return getAttribute(directory, OPAQUE_ATTRIBUTE) === OPAQUE_VALUE;
}

function openIn({ descriptor }: LowerLayer, path: ByteString): number {
  const name = (path === "" ? "." : path) as ByteString;
  return openAt2(descriptor, name, DIRECTORY_FLAGS, Resolve.NO_SYMLINKS);
}

/**
 * Gives a directory the owner, mode, times and attributes of another.
 * @param path for messages
 */
export function copyDirectoryMetadata(from: number, to: number, path: ByteString, mapping: LayerMapping): void {
  const status = statusOf(from);
  if (typeof status === "number") {
    checkEntry(status, "read the status of the lower directory", path);
    return;
  }
  // Most are root's, with the usual mode, as they were made.
  const own = statusOf(to);
  const isLike =
    typeof own !== "number" && own.uid === status.uid && own.gid === status.gid && own.mode === status.mode;
  if (!isLike) {
    if (mapping === "full") checkEntry(changeOwner(to, status.uid, status.gid), "change the owner of", path);
    checkEntry(changeMode(to, status.mode & FileMode.permissions), "change the mode of", path);
  }
  const names = listAttributes(from);
  for (const name of typeof names === "number" ? [] : names) {
    if (name === OPAQUE_ATTRIBUTE) continue;
    const value = getAttribute(from, name);
    // What cannot be read or set here (labels of the host) has not been set by an image either.
    if (typeof value === "string") setAttribute(to, name, value);
  }
  checkEntry(setTimes(to, status.accessed, status.modified), "set the times of", path);
}
