import type { ByteString } from "../../sys/byte-string.ts";
import { openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { splitPath } from "./entry-path.ts";

const FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

interface OpenDirectory {
  readonly path: ByteString;
  readonly file: FileDescriptor;
}

/**
 * Opens directories of a layer one after the other, mostly each behind its parent. The last one and its parent stay open,
 * so that what follows in either is opened by its own name: a walk from the root for each of some thousand directories
 * that lie in each other would take seconds.
 */
export class FinishedDirectories implements Disposable {
  readonly #find: (path: ByteString) => number;
  #last: OpenDirectory | undefined;
  #parent: OpenDirectory | undefined;

  /** @param find opens a directory by its whole path, without following a link at its end */
  constructor(find: (path: ByteString) => number) {
    this.#find = find;
  }

  /** Opens a directory for reading, until the next call; the descriptor, or the negated error number. */
  open(path: ByteString): number {
    const [above, base] = splitPath(path);
    if (path !== "" && this.#last?.path === above) {
      this.#parent?.file.close();
      this.#parent = this.#last;
    } else {
      this.#last?.file.close();
    }
    this.#last = undefined;
    const isInParent = path !== "" && this.#parent?.path === above;
    const found =
      isInParent && this.#parent !== undefined ? openAt(this.#parent.file.number, base, FLAGS) : this.#find(path);
    if (found >= 0) this.#last = { path, file: new FileDescriptor(found) };
    return found;
  }

  [Symbol.dispose](): void {
    this.#last?.file.close();
    this.#parent?.file.close();
  }
}
