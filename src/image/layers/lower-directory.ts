/*
 * What overlay shows of the layers below, one directory at a time: the namesakes in all layers that contribute to it,
 * the uppermost first. A layer stops contributing, with all below it, where it has a whiteout or something else than a
 * directory at the name, and those below an opaque directory do not contribute to it.
 *
 * Everything is opened relative to its parent without following links: what a layer holds is hostile.
 */
import { OPAQUE_ATTRIBUTE, OPAQUE_VALUE } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { directoryEntries } from "../../sys/directory-entries.ts";
import { Errno } from "../../sys/errno.ts";
import { getAttribute, openAt, statusAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import type { FileStatus } from "../../sys/stat.ts";
import { checkEntry } from "./unpack-error.ts";
import { isWhiteoutStatus } from "./whiteout.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

export class LowerDirectory implements Disposable {
  /** From the uppermost to the lowest; none where the layers below show no directory. */
  readonly #directories: readonly FileDescriptor[];

  private constructor(directories: readonly FileDescriptor[]) {
    this.#directories = directories;
  }

  /**
   * The root of some layers.
   * @param layers descriptors of their directories, the uppermost first; stay the caller's
   */
  static root(layers: readonly number[]): LowerDirectory {
    return new LowerDirectory(collect(layers, "." as ByteString));
  }

  /** A directory that the layers below do not have. */
  static none(): LowerDirectory {
    return new LowerDirectory([]);
  }

  /** What overlay shows as its owner, mode and times; undefined when there is no such directory. */
  status(): FileStatus | undefined {
    const [uppermost] = this.#directories;
    if (uppermost === undefined) return undefined;
    const status = statusOf(uppermost.number);
    return typeof status === "number" ? undefined : status;
  }

  /** The uppermost of its namesakes, whose owner, mode and attributes it shows; undefined when there is none. */
  uppermost(): number | undefined {
    return this.#directories[0]?.number;
  }

  /** What overlay shows at a name in it; undefined when there is nothing. */
  find(name: ByteString): FileStatus | undefined {
    return this.locate(name)?.status;
  }

  /** The same with the directory of the layer in which it lies. */
  locate(name: ByteString): { readonly parent: number; readonly status: FileStatus } | undefined {
    for (const { number } of this.#directories) {
      const status = statusAt(number, name);
      if (typeof status !== "number") return isWhiteoutStatus(status) ? undefined : { parent: number, status };
      if (status !== -Errno.ENOENT) checkEntry(status, "look at a lower layer's", name);
    }
    return undefined;
  }

  /** The directory at a name in it. */
  open(name: ByteString): LowerDirectory {
    return new LowerDirectory(
      collect(
        this.#directories.map(({ number }) => number),
        name,
      ),
    );
  }

  /** The names that overlay shows in it. */
  names(): Set<ByteString> {
    const shown = new Set<ByteString>();
    const decided = new Set<ByteString>();
    for (const { number } of this.#directories) {
      using directory = new FileDescriptor(
        checkEntry(openAt(number, "." as ByteString, DIRECTORY_FLAGS), "read a lower layer's", "." as ByteString),
      );
      for (const { name } of directoryEntries(directory.number)) {
        if (decided.has(name)) continue;
        decided.add(name);
        if (this.find(name) !== undefined) shown.add(name);
      }
    }
    return shown;
  }

  [Symbol.dispose](): void {
    for (const directory of this.#directories) directory.close();
  }
}

/** The directories of one name that overlay puts together, of these parents. */
function collect(parents: readonly number[], name: ByteString): FileDescriptor[] {
  const directories: FileDescriptor[] = [];
  try {
    for (const parent of parents) {
      const opened = openAt(parent, name, DIRECTORY_FLAGS);
      if (opened === -Errno.ENOENT) continue;
      // A whiteout, a file or a symbolic link.
      if (opened === -Errno.ENOTDIR || opened === -Errno.ELOOP) break;
      const directory = new FileDescriptor(checkEntry(opened, "open a lower layer's", name));
      directories.push(directory);
      if (getAttribute(directory.number, OPAQUE_ATTRIBUTE) === OPAQUE_VALUE) break;
    }
    return directories;
  } catch (error) {
    for (const directory of directories) directory.close();
    throw error;
  }
}
