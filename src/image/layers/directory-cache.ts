/*
 * The directories of a layer that entries are just being put into, open.
 *
 * A path is resolved by the kernel with the layer's directory as root (RESOLVE_IN_ROOT): symbolic links in it, made by
 * earlier entries, lead to where they would lead inside the container, and never out. An open directory stays good
 * until a name on the way to it is replaced; `forget` has to be called then.
 *
 * The most recently used descriptors survive, so two in a row can be held at the same time.
 *
 * Many archives have no entries for directories. One that nobody is known to have made is made straight away, in its
 * parent; only when that finds something there it is looked for.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { makeDirectoryAt, openAt, openAt2, PATH_MAX, unlinkAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag, Resolve } from "../../sys/open.ts";
import { splitPath } from "./entry-path.ts";
import { checkEntry, refusedEntry } from "./unpack-error.ts";
import { isWhiteout } from "./whiteout.ts";

const CAPACITY = 64;
const OPEN_FLAGS = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;

/** How a directory came to be made although no entry asked for it. */
export type ImplicitOrigin = "missing" | "whiteout";

export class DirectoryCache implements Disposable {
  readonly #root: number;
  readonly #isKnown: (path: ByteString) => boolean;
  readonly #onImplicit: (path: ByteString, origin: ImplicitOrigin) => void;
  readonly #open = new Map<ByteString, FileDescriptor>();
  #latestPath: ByteString | undefined;
  #latest = -1;

  /**
   * @param root the layer's directory; stays the caller's
   * @param isKnown whether a directory has been made at a path, so far as the caller knows
   * @param onImplicit is told of each directory that is made because an entry lies in it; `whiteout` when it takes the
   *   place of one
   */
  constructor(
    root: number,
    isKnown: (path: ByteString) => boolean,
    onImplicit: (path: ByteString, origin: ImplicitOrigin) => void,
  ) {
    this.#root = root;
    this.#isKnown = isKnown;
    this.#onImplicit = onImplicit;
  }

  /**
   * Opens a directory, and makes it and its parents where they are missing.
   * @param path normal; empty for the root
   * @returns a descriptor that stays the cache's
   * @throws BunkerError `layer_refused` when something else is in the way
   */
  open(path: ByteString): number {
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    // Made one by one, its directories would be out of reach for everybody else.
    if (path.length >= PATH_MAX) checkEntry(-Errno.ENAMETOOLONG, "open the directory", path);
    if (this.#isKnown(path)) {
      const found = this.find(path);
      if (found >= 0) return found;
    }
    const [parentPath, base] = splitPath(path);
    const parent = this.open(parentPath);
    let origin: ImplicitOrigin = "missing";
    let made = makeDirectoryAt(parent, base, 0o755);
    if (made === -Errno.EEXIST) {
      const found = this.find(path);
      if (found >= 0) return found;
      if (!isWhiteout(parent, base)) throw this.#refusal(path, found);
      checkEntry(unlinkAt(parent, base), "replace the whiteout of", path);
      origin = "whiteout";
      made = makeDirectoryAt(parent, base, 0o755);
    }
    checkEntry(made, "create the directory", path);
    this.#onImplicit(path, origin);
    const opened = openAt(parent, base, OPEN_FLAGS | OpenFlag.O_NOFOLLOW);
    return this.#keep(path, checkEntry(opened, "open the directory", path));
  }

  /** Opens a directory that is there; the descriptor, which stays the cache's, or the negated error number. */
  find(path: ByteString): number {
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    const found = openAt2(this.#root, path, OPEN_FLAGS, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS);
    return found < 0 ? found : this.#keep(path, found);
  }

  #kept(path: ByteString): number | undefined {
    if (path === "") return this.#root;
    if (path === this.#latestPath) return this.#latest;
    const directory = this.#open.get(path);
    if (directory === undefined) return undefined;
    this.#open.delete(path);
    return this.#noteLatest(path, directory);
  }

  #keep(path: ByteString, descriptor: number): number {
    this.#evict();
    return this.#noteLatest(path, new FileDescriptor(descriptor));
  }

  #noteLatest(path: ByteString, directory: FileDescriptor): number {
    this.#open.set(path, directory);
    this.#latestPath = path;
    this.#latest = directory.number;
    return this.#latest;
  }

  /** Closes everything: a directory or a symbolic link has been replaced. */
  forget(): void {
    for (const directory of this.#open.values()) directory.close();
    this.#open.clear();
    this.#latestPath = undefined;
  }

  [Symbol.dispose](): void {
    this.forget();
  }

  /** Makes room for one more, at the cost of the one that was used longest ago. */
  #evict(): void {
    if (this.#open.size < CAPACITY) return;
    for (const [path, directory] of this.#open) {
      directory.close();
      this.#open.delete(path);
      return;
    }
  }

  #refusal(path: ByteString, result: number): Error {
    if (result === -Errno.ELOOP) return refusedEntry(path, "its symbolic links lead in a circle");
    if (result === -Errno.ENOTDIR) return refusedEntry(path, "an entry lies in it, but it is not a directory");
    if (result === -Errno.ENOENT) return refusedEntry(path, "an entry lies in it, but it is a dangling symbolic link");
    checkEntry(result, "open the directory", path);
    return refusedEntry(path, "it cannot be opened");
  }
}
