import { DamagedJournal, integer64At } from "./journal-bytes.ts";
import { further, type JournalFile, ObjectType } from "./journal-file.ts";

const DATA_HEAD_SIZE = 64;
const ARRAY_HEAD_SIZE = 24;

/** One `FIELD=value` in a file of the journal, which may not be there yet. */
export class JournalValue {
  readonly #file: JournalFile;
  readonly #field: string;
  readonly #text: string;
  #fieldOffset: number | undefined;
  #seen = 0;
  #offset: number | undefined;

  constructor(file: JournalFile, field: string, value: string) {
    this.#file = file;
    this.#field = field;
    this.#text = `${field}=${value}`;
  }

  /** Where its data object is, as far as it was there when it was looked for. */
  get offset(): number | undefined {
    return this.#offset;
  }

  /**
   * Looks for it in what has come since it was looked for.
   * @throws DamagedJournal
   */
  refresh(): void {
    if (this.#offset !== undefined) return;
    this.#fieldOffset ??= this.#file.findField(this.#field);
    if (this.#fieldOffset === undefined) return;
    const newest = this.#file.newestDataOf(this.#fieldOffset);
    this.#offset = this.#file.findData(newest, this.#seen, this.#text);
    this.#seen = newest;
  }
}

/** The offsets of all entries that have a value, in the order in which they came. */
export class EntryList {
  readonly #file: JournalFile;
  readonly #value: JournalValue;
  readonly #offsets: number[] = [];
  /** The array that the last offsets were in, and how many of it have been read. */
  #array = 0;
  #used = 0;

  constructor(file: JournalFile, value: JournalValue) {
    this.#file = file;
    this.#value = value;
  }

  get length(): number {
    return this.#offsets.length;
  }

  /** @param index less than `length` */
  at(index: number): number {
    const offset = this.#offsets[index];
    if (offset === undefined) throw new RangeError(`there is no entry ${index}`);
    return offset;
  }

  /**
   * Adds what has come.
   * @throws DamagedJournal
   */
  refresh(): void {
    this.#value.refresh();
    const data = this.#value.offset;
    if (data === undefined) return;
    const { head } = this.#file.object(data, ObjectType.DATA, DATA_HEAD_SIZE);
    const count = integer64At(head, 56);
    // The first one is no array's.
    if (this.#offsets.length === 0 && count > 0 && !this.#add(integer64At(head, 40))) return;
    if (this.#array === 0) this.#array = integer64At(head, 48);
    while (this.#offsets.length < count && this.#array !== 0) {
      const { head, size } = this.#file.object(this.#array, ObjectType.ENTRY_ARRAY, ARRAY_HEAD_SIZE);
      const capacity = Math.floor((size - ARRAY_HEAD_SIZE) / this.#file.offsetSize);
      if (!this.#readArray(Math.min(capacity - this.#used, count - this.#offsets.length))) return;
      if (this.#used < capacity) return;
      const next = further(this.#array, integer64At(head, 16));
      // A full array has no next one before there is more to come.
      if (next === 0) return;
      this.#array = next;
      this.#used = 0;
    }
  }

  /** Returns false where an offset is not there yet. */
  #readArray(count: number): boolean {
    const { offsetSize } = this.#file;
    const items = this.#file.read(this.#array + ARRAY_HEAD_SIZE + this.#used * offsetSize, count * offsetSize);
    for (let index = 0; index < count; index++) {
      if (!this.#add(this.#file.offsetAt(items, index * offsetSize))) return false;
      this.#used++;
    }
    return true;
  }

  #add(offset: number): boolean {
    if (offset === 0) return false;
    if (offset <= (this.#offsets.at(-1) ?? 0)) throw new DamagedJournal("entries are not in their order");
    this.#offsets.push(offset);
    return true;
  }
}
