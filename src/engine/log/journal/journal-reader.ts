/*
 * Reads what a container has logged by the driver journald, out of the journal's files, oldest first.
 *
 * journald writes the entries of a user into a file of that user's, or into the system's, puts a file aside under another
 * name when it is large, and begins a new one. So a container's entries may be in several files, each of which has
 * them in their order (journal-file.ts); they are merged, by their numbers where one journald has numbered them, or else by time.
 * An open file is known by its inode, whatever it is called by now. New ones are looked for whenever something has
 * happened in the directories.
 *
 * Anybody may write entries that say to be a container's; those that come from another user, as journald says, are
 * passed over.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Errno, errnoName } from "../../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { outerUserId } from "../../../sys/outer-user-id.ts";
import { readIfThere } from "../../../sys/read-if-there.ts";
import type { LogQuery, LogReader, LogRecord } from "../log-query.ts";
import { EntryList, JournalValue } from "./entry-list.ts";
import { DamagedJournal, type FileIdentity, identityOf } from "./journal-bytes.ts";
import { type JournalEntry, JournalFile } from "./journal-file.ts";

const ROOTS = ["/var/log/journal", "/run/log/journal"];
const NEWLINE = Buffer.from("\n");

/** The directories that this host's journal is in; sd-journal(3). */
export function journalDirectories(): string[] {
  const machine = readIfThere("/etc/machine-id")?.trim() ?? "";
  return /^[0-9a-f]{32}$/.test(machine) ? ROOTS.map((root) => join(root, machine)).filter(isThere) : [];
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** One file, and how far it has been read. */
interface Source {
  readonly file: JournalFile;
  readonly entries: EntryList;
  readonly user: JournalValue;
  readonly error: JournalValue;
  readonly partial: JournalValue;
  /** The index of the next entry. */
  next: number;
  /** Whether there will be no other entries than those that are known of. */
  isComplete: boolean;
}

/** An entry that is not read on from yet. */
interface Candidate {
  readonly source: Source;
  readonly entry: JournalEntry;
}

/** Which container's log it is, and where the journal is. */
export interface JournalPlace {
  readonly id: string;
  readonly name: string;
  readonly directories: readonly string[];
  /** The host's number of the user whose containers log. */
  readonly userId?: number;
}

/** Reads what is in the journal now, and later what has been added; see the head of this file. */
export class JournalReader implements LogReader {
  readonly directories: readonly string[];
  readonly #id: string;
  readonly #name: string;
  readonly #userId: number;
  readonly #from: number;
  readonly #to: number;
  readonly #onWarning: (warning: string) => void;
  readonly #sources = new Set<Source>();
  /** All files that were tried. */
  readonly #tried = new Set<FileIdentity>();
  /** Paths of what may not be read, with what the kernel said. */
  readonly #refused = new Map<string, number>();
  #isOver = false;

  /** @param onWarning told of files that are damaged */
  constructor(
    { id, name, directories, userId = outerUserId() }: JournalPlace,
    query: LogQuery,
    onWarning: (warning: string) => void,
  ) {
    this.directories = directories.filter((path) => this.#canList(path));
    this.#id = id;
    this.#name = name;
    this.#userId = userId;
    // To the microsecond, as journald has them: a later one is from then on, an earlier one up to then.
    this.#from = query.since === undefined ? 0 : Number((query.since + 999n) / 1000n);
    this.#to = query.until === undefined ? Number.POSITIVE_INFINITY : Number(query.until / 1000n);
    this.#onWarning = onWarning;
  }

  #canList(directory: string): boolean {
    try {
      readdirSync(directory);
      return true;
    } catch (error) {
      this.#refuse(directory, error);
      return false;
    }
  }

  #refuse(path: string, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    this.#refused.set(path, errno);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws BunkerError `no_log` when no file that the container's entries could be in may be read */
  async readPresent(tail: number | undefined, onRecord: (record: LogRecord) => void): Promise<void> {
    this.#refresh();
    this.#checkReadable();
    if (tail === undefined) this.#goToStart();
    else this.#goToLast(tail);
    await this.#readOn(onRecord);
  }

  async readAdded(onRecord: (record: LogRecord) => void): Promise<void> {
    this.#refresh();
    await this.#readOn(onRecord);
  }

  /** Opens files that are new, and looks for new entries in all. */
  #refresh(): void {
    // Again where there was a new one: it may have taken the name of one that journald has just put aside.
    for (let before = -1; before < this.#tried.size; ) {
      before = this.#tried.size;
      for (const directory of this.directories) {
        for (const name of this.#namesIn(directory)) {
          if (/\.journal~?$/.test(name)) this.#openOnce(join(directory, name));
        }
      }
    }
    for (const source of this.#sources) {
      this.#guard(source, () => {
        const { file, entries, user, error, partial, next } = source;
        file.refresh();
        source.isComplete = file.isArchived();
        entries.refresh();
        // Last, since whatever a counted entry has is there.
        if (entries.length > next) for (const value of [user, error, partial]) value.refresh();
      });
    }
  }

  /** None where the directory has gone: journald removes the one in /run when it begins to write to the disk. */
  #namesIn(directory: string): readonly string[] {
    try {
      return readdirSync(directory);
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) return [];
      throw error;
    }
  }

  #openOnce(path: string): void {
    const status = statSync(path, { throwIfNoEntry: false });
    // One that is just being made is shorter than a header.
    if (status === undefined || status.size === 0) return;
    const identity = identityOf(status);
    if (this.#tried.has(identity)) return;
    try {
      const file = new JournalFile(path);
      // By now the name may be another file's.
      if (this.#tried.has(file.identity)) {
        file[Symbol.dispose]();
        return;
      }
      this.#tried.add(file.identity);
      this.#sources.add({
        file,
        entries: new EntryList(file, new JournalValue(file, "CONTAINER_ID_FULL", this.#id)),
        user: new JournalValue(file, "_UID", String(this.#userId)),
        error: new JournalValue(file, "PRIORITY", "3"),
        partial: new JournalValue(file, "CONTAINER_PARTIAL_MESSAGE", "true"),
        next: 0,
        isComplete: false,
      });
    } catch (error) {
      this.#tried.add(identity);
      if (error instanceof DamagedJournal) this.#warnOf(path, error);
      else this.#refuse(path, error);
    }
  }

  /** An ordinary user's entries are in that user's own file, if journald keeps any on the disk. */
  #checkReadable(): void {
    const sources = [...this.#sources];
    const own = `/user-${this.#userId}.journal`;
    if (sources.some(({ entries, file }) => entries.length > 0 || file.path.endsWith(own))) return;
    const [refused] = this.#refused;
    if (refused === undefined && this.#tried.size > 0) return;
    const [path, errno] = refused ?? [];
    throw new BunkerError({
      code: "no_log",
      operation: "read the log of container",
      object: this.#name,
      reason:
        path === undefined || errno === undefined
          ? `it is in systemd's journal, and there is none in ${ROOTS.join(" or ")}`
          : `it is in systemd's journal, which this user may not read: ${path}: ${errnoName(errno)}`,
      hint:
        path === undefined
          ? undefined
          : "An administrator lets you: usermod --append --groups systemd-journal $USER; it holds after the next login.",
      exitStatus: 1,
    });
  }

  /** Makes the first entry that is late enough the next one. */
  #goToStart(): void {
    for (const source of this.#sources) {
      this.#guard(source, () => {
        let [low, high] = [0, source.entries.length];
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (source.file.entry(source.entries.at(middle)).time < this.#from) low = middle + 1;
          else high = middle;
        }
        source.next = low;
      });
    }
  }

  /** Makes the entry the next one that so many wanted ones begin with. */
  #goToLast(wanted: number): void {
    const candidates = new Map<Source, Candidate>();
    const stepBack = (source: Source) => {
      candidates.delete(source);
      if (source.next === 0) return;
      const entry = this.#guard(source, () => source.file.entry(source.entries.at(source.next - 1)));
      if (entry !== undefined) candidates.set(source, { source, entry });
    };
    for (const source of this.#sources) {
      source.next = source.entries.length;
      stepBack(source);
    }
    for (let count = 0; count < wanted; ) {
      const last = [...candidates.values()].reduce(laterOf, undefined);
      if (last === undefined || last.entry.time < this.#from) return;
      if (last.entry.time <= this.#to && hasValue(last.entry, last.source.user)) count++;
      last.source.next--;
      stepBack(last.source);
    }
  }

  /** Reads all next entries. */
  async #readOn(onRecord: (record: LogRecord) => void): Promise<void> {
    const candidates = new Map<Source, Candidate>();
    const step = (source: Source) => {
      candidates.delete(source);
      // Of a file that was given up nothing is open any more.
      if (!this.#sources.has(source) || source.next >= source.entries.length) return;
      const entry = this.#guard(source, () => source.file.entry(source.entries.at(source.next)));
      if (entry !== undefined) candidates.set(source, { source, entry });
    };
    for (const source of this.#sources) step(source);
    while (!this.#isOver) {
      const first = [...candidates.values()].reduce(earlierOf, undefined);
      if (first === undefined) {
        this.#closeComplete();
        return;
      }
      const { source, entry } = first;
      if (entry.time > this.#to) this.#isOver = true;
      else if (entry.time >= this.#from && hasValue(entry, source.user)) await this.#tell(first, onRecord);
      source.next++;
      step(source);
    }
  }

  /** Closes what has been read and will not grow, so that who follows a log for months does not hold all files of them. */
  #closeComplete(): void {
    for (const source of this.#sources) {
      if (source.isComplete) this.#close(source);
    }
  }

  #close(source: Source): void {
    this.#sources.delete(source);
    source.file[Symbol.dispose]();
  }

  async #tell({ source, entry }: Candidate, onRecord: (record: LogRecord) => void): Promise<void> {
    let text: Buffer | undefined;
    try {
      text = await source.file.textOf(entry, "MESSAGE");
    } catch (error) {
      this.#giveUp(source, error);
    }
    if (text === undefined) return;
    const isPartial = hasValue(entry, source.partial);
    onRecord({
      stream: hasValue(entry, source.error) ? "stderr" : "stdout",
      time: `${new Date(entry.time / 1000).toISOString().slice(0, -4)}${String(entry.time % 1e6).padStart(6, "0")}000Z`,
      bytes: isPartial ? text : Buffer.concat([text, NEWLINE]),
    });
  }

  /** Does something with a file, and nothing more with it when it is damaged. */
  #guard<Result>(source: Source, action: () => Result): Result | undefined {
    try {
      return action();
    } catch (error) {
      this.#giveUp(source, error);
      return undefined;
    }
  }

  #giveUp(source: Source, error: unknown): void {
    if (!(error instanceof DamagedJournal)) throw error;
    this.#warnOf(source.file.path, error);
    this.#close(source);
  }

  #warnOf(path: string, { message }: DamagedJournal): void {
    this.#onWarning(`the journal's file ${path} is not read further: ${message}`);
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#sources) file[Symbol.dispose]();
    this.#sources.clear();
  }
}

function hasValue({ data }: JournalEntry, { offset }: JournalValue): boolean {
  return offset !== undefined && data.includes(offset);
}

function orderOf(one: Candidate, other: Candidate): number {
  return one.source.file.sequence === other.source.file.sequence
    ? one.entry.number - other.entry.number
    : one.entry.time - other.entry.time;
}

function laterOf(one: Candidate | undefined, other: Candidate): Candidate {
  return one === undefined || orderOf(one, other) < 0 ? other : one;
}

function earlierOf(one: Candidate | undefined, other: Candidate): Candidate {
  return one === undefined || orderOf(one, other) > 0 ? other : one;
}
