import { closeSync, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** A file of the journal that is not as its format wants it. */
export class DamagedJournal extends Error {}

const WINDOW = 1 << 15;
/** Tells files apart, whatever their names are now. */
export type FileIdentity = string;

export function identityOf({ dev, ino }: Stats): FileIdentity {
  return `${dev}:${ino}`;
}

/** More than journald takes for one datagram; whatever asks for more is damaged, or an attack on memory. */
export const LARGEST_OBJECT = 1 << 26;

/** The bytes of a file that grows, read in pieces of which the last is kept. */
export class JournalBytes implements Disposable {
  readonly #file: number;
  #start = 0;
  #window = Buffer.alloc(0);

  /** @throws the system's error, such as EACCES */
  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  get identity(): FileIdentity {
    return identityOf(fstatSync(this.#file));
  }

  /**
   * A piece of the file; it stays as it is.
   * @throws DamagedJournal when the file has no such bytes
   */
  read(offset: number, length: number): Buffer {
    if (offset >= this.#start && offset + length <= this.#start + this.#window.length) {
      return this.#window.subarray(offset - this.#start, offset - this.#start + length);
    }
    if (!Number.isSafeInteger(offset) || length > LARGEST_OBJECT) throw new DamagedJournal("an object is too large");
    const window = Buffer.allocUnsafe(Math.max(length, WINDOW));
    const count = readSync(this.#file, window, 0, window.length, offset);
    if (count < length) throw new DamagedJournal("it ends in the middle");
    this.#start = offset;
    this.#window = window.subarray(0, count);
    return window.subarray(0, length);
  }

  /** Forgets what was read, since the file may have changed. */
  forget(): void {
    this.#window = Buffer.alloc(0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** An unsigned integer of 8 bytes, little-endian; exact up to 2^53. */
export function integer64At(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32;
}
