/*
 * Files of systemd's journal (systemd.io/JOURNAL_FILE_FORMAT), as far as it takes to read the entries that have a certain
 * field.
 *
 * A file is a header and objects behind it, which name each other by their offsets. An entry lists its data objects. A
 * data object is one `FIELD=value`, of which there is only one however many entries have it; it leads to a chain of
 * arrays with the offsets of these entries in the order in which they came (entry-list.ts). A field object leads to a
 * chain of all data of the field, the newest first, and is found by a hash table of fields.
 *
 * There is a hash table of data, too, whose hash function depends on the file's age. We walk the data of
 * CONTAINER_ID_FULL instead, as many as there are containers that have logged, and through the whole table of fields,
 * which is small: that needs no hash function at all, and a second look only goes to where the first one began.
 *
 * journald writes through a memory map while we read. It writes an object before what leads to it, and counts an entry
 * after all else; so what is counted is there, or a zero where it will be.
 *
 * Nothing in a file is believed. Offsets must lead to objects of the right type, and chains only forward, or only back;
 * so a damaged file ends in `DamagedJournal` and not in a loop.
 */
import { zstdDecompressSync } from "node:zlib";
import { DamagedJournal, type FileIdentity, integer64At, JournalBytes, LARGEST_OBJECT } from "./journal-bytes.ts";

const SIGNATURE = "LPKSHHRH";
const HEADER_SIZE = 136;
/** Bits of the header's incompatible flags: compression by xz, lz4, zstd, and keyed hashes, which are nothing to us. */
const KNOWN_FLAGS = 0b11111;
const COMPACT = 16;
const OBJECT_HEADER_SIZE = 16;
const HASH_ITEM_SIZE = 16;
const FIELD_HEADER_SIZE = 40;
const ENTRY_HEADER_SIZE = 64;
const DATA_HEADER_SIZE = 64;
/** What data objects of compact files have besides. */
const COMPACT_DATA_SIZE = 8;
/** Bits of a data object's flags. */
const Compression = { XZ: 1, LZ4: 2, ZSTD: 4 } as const;

/** The state that a header tells of a file that nothing will be added to any more. */
const ARCHIVED = 2;

/** Types of objects. */
export const ObjectType = { DATA: 1, FIELD: 2, ENTRY: 3, ENTRY_ARRAY: 6 } as const;

/** What an object begins with, and its size in bytes. */
interface ObjectHead {
  readonly head: Buffer;
  readonly size: number;
}

/** One entry. */
export interface JournalEntry {
  /** Its place in the order of all files with the same `sequence`. */
  readonly number: number;
  /** When journald took it: microseconds since 1970. */
  readonly time: number;
  /** Offsets of its data objects. */
  readonly data: readonly number[];
}

/** An open file of the journal; see the head of this file. */
export class JournalFile implements Disposable {
  readonly path: string;
  /** Which files its entries are numbered with. */
  readonly sequence: string;
  /** Bytes of an offset in lists of entries and of data. */
  readonly offsetSize: 4 | 8;
  readonly #bytes: JournalBytes;
  readonly #isCompact: boolean;
  /** Data objects that more than one entry has and that are no messages. */
  readonly #otherData = new Set<number>();

  /** @throws DamagedJournal, and the system's error, such as EACCES */
  constructor(path: string) {
    this.path = path;
    using opened = new DisposableStack();
    this.#bytes = opened.use(new JournalBytes(path));
    const header = this.#bytes.read(0, HEADER_SIZE);
    if (header.toString("latin1", 0, SIGNATURE.length) !== SIGNATURE) throw new DamagedJournal("it is no journal");
    const flags = header.readUInt32LE(12);
    if ((flags & ~KNOWN_FLAGS) !== 0) throw new DamagedJournal("it is of a newer form than Bunker knows");
    this.#isCompact = (flags & COMPACT) !== 0;
    this.offsetSize = this.#isCompact ? 4 : 8;
    this.sequence = header.toString("hex", 72, 88);
    opened.move();
  }

  get identity(): FileIdentity {
    return this.#bytes.identity;
  }

  /** Takes note that the file may have grown. */
  refresh(): void {
    this.#bytes.forget();
  }

  /** Whether journald has put the file aside, so that it has all that it will ever have. */
  isArchived(): boolean {
    return this.#bytes.read(0, HEADER_SIZE)[16] === ARCHIVED;
  }

  /**
   * The head of an object.
   * @param headSize bytes of it; the object must not have fewer
   * @throws DamagedJournal
   */
  object(offset: number, type: number, headSize: number): ObjectHead {
    const head = this.#bytes.read(offset, headSize);
    const size = integer64At(head, 8);
    if (head[0] !== type || size < headSize) throw new DamagedJournal(`there is no such object at ${offset}`);
    return { head, size };
  }

  /** Bytes of an object. */
  read(offset: number, length: number): Buffer {
    return this.#bytes.read(offset, length);
  }

  /** The offset of a field's object; undefined when no entry has the field. */
  findField(name: string): number | undefined {
    const header = this.#bytes.read(0, HEADER_SIZE);
    const table = this.#bytes.read(integer64At(header, 120), integer64At(header, 128));
    for (let item = 0; item + HASH_ITEM_SIZE <= table.length; item += HASH_ITEM_SIZE) {
      for (let offset = integer64At(table, item); offset !== 0; ) {
        const { head, size } = this.object(offset, ObjectType.FIELD, FIELD_HEADER_SIZE);
        if (this.#isPayload(offset + FIELD_HEADER_SIZE, size - FIELD_HEADER_SIZE, name)) return offset;
        offset = further(offset, integer64At(head, 24));
      }
    }
    return undefined;
  }

  /** The newest data object of a field; 0 for none. */
  newestDataOf(field: number): number {
    return integer64At(this.object(field, ObjectType.FIELD, FIELD_HEADER_SIZE).head, 32);
  }

  /**
   * The data object with a value among those of a field that are newer than another one.
   * @param newest where to begin
   * @param seen where to end; 0 for the oldest
   * @param text `FIELD=value`, too short to be compressed
   */
  findData(newest: number, seen: number, text: string): number | undefined {
    for (let offset = newest; offset !== seen && offset !== 0; ) {
      const { head, size } = this.object(offset, ObjectType.DATA, this.#dataHeadSize);
      if (this.#isPayload(offset + this.#dataHeadSize, size - this.#dataHeadSize, text)) return offset;
      const next = integer64At(head, 32);
      if (next >= offset) throw new DamagedJournal("a chain goes the wrong way");
      offset = next;
    }
    return undefined;
  }

  /** @throws DamagedJournal */
  entry(offset: number): JournalEntry {
    const { head, size } = this.object(offset, ObjectType.ENTRY, ENTRY_HEADER_SIZE);
    const itemSize = this.#isCompact ? 4 : 16;
    const count = Math.floor((size - ENTRY_HEADER_SIZE) / itemSize);
    const items = this.#bytes.read(offset + ENTRY_HEADER_SIZE, count * itemSize);
    const data = Array.from({ length: count }, (_, index) => this.offsetAt(items, index * itemSize));
    const time = integer64At(head, 24);
    if (!Number.isSafeInteger(time)) throw new DamagedJournal("an entry is of no time");
    return { number: integer64At(head, 16), time, data };
  }

  /** An offset in a list of offsets. */
  offsetAt(bytes: Buffer, position: number): number {
    return this.#isCompact ? bytes.readUInt32LE(position) : integer64At(bytes, position);
  }

  /**
   * What an entry has of a field that differs from entry to entry.
   * @throws DamagedJournal
   */
  async textOf(entry: JournalEntry, field: string): Promise<Buffer | undefined> {
    for (const offset of entry.data) {
      if (this.#otherData.has(offset)) continue;
      const { head, size } = this.object(offset, ObjectType.DATA, this.#dataHeadSize);
      const start = offset + this.#dataHeadSize;
      const length = size - this.#dataHeadSize;
      const flags = head[1] ?? 0;
      if (flags !== 0) {
        const text = await decompress(this.#bytes.read(start, length), flags);
        if (text.toString("latin1", 0, field.length + 1) === `${field}=`) return text.subarray(field.length + 1);
      } else if (this.#isPayload(start, Math.min(length, field.length + 1), `${field}=`)) {
        return this.#bytes.read(start, length).subarray(field.length + 1);
      }
      if (integer64At(head, 56) > 1) this.#otherData.add(offset);
    }
    return undefined;
  }

  get #dataHeadSize(): number {
    return DATA_HEADER_SIZE + (this.#isCompact ? COMPACT_DATA_SIZE : 0);
  }

  #isPayload(offset: number, length: number, text: string): boolean {
    return length === text.length && this.#bytes.read(offset, length).toString("latin1") === text;
  }

  [Symbol.dispose](): void {
    this.#bytes[Symbol.dispose]();
  }
}

/** The next object of a chain of those that were made later and later. */
export function further(offset: number, next: number): number {
  if (next !== 0 && next < offset + OBJECT_HEADER_SIZE) throw new DamagedJournal("a chain goes the wrong way");
  return next;
}

async function decompress(packed: Buffer, flags: number): Promise<Buffer> {
  try {
    if (flags === Compression.ZSTD) return zstdDecompressSync(packed, { maxOutputLength: LARGEST_OBJECT });
    if (flags === Compression.LZ4) return await decompressSizedLz4(packed);
    if (flags === Compression.XZ) return await decompressXz(packed);
  } catch (error) {
    throw error instanceof DamagedJournal ? error : new DamagedJournal("compressed data are damaged");
  }
  throw new DamagedJournal("data are compressed in a form that Bunker does not know");
}

/** Eight bytes say how much comes of the block behind them. */
async function decompressSizedLz4(packed: Buffer): Promise<Buffer> {
  const { decompressLz4 } = await import("./lz4.ts");
  const size = integer64At(packed, 0);
  if (size > LARGEST_OBJECT) throw new DamagedJournal("an object is too large");
  return decompressLz4(packed.subarray(8), size);
}

async function decompressXz(packed: Buffer): Promise<Buffer> {
  const { unxz } = await import("../../../image/xz/unxz.ts");
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of unxz(only(packed))) {
    size += piece.length;
    if (size > LARGEST_OBJECT) throw new DamagedJournal("an object is too large");
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces, size);
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
