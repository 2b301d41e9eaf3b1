/*
 * Reads logs that json-file-writer.ts writes, also rotated and compressed ones, oldest first.
 *
 * A record that this Bunker has written has a tail of fixed length, and mostly a text without escapes but for the line's
 * end: then its text is a piece of the file and nothing is parsed. Everything else is parsed as JSON; a line that is none
 * (the end of a log that lost its power) is passed over. For the last N records files are searched from their end.
 *
 * Files get other names while they are read, perhaps several times. So they are opened before the first is read, from the
 * newest name on: one that moves meanwhile moves to a name that is still to come. And whoever follows the log knows the
 * file that he is in by its inode or, when it has been compressed since, by the time of its last change, which the
 * compressed one has as well (compress-file.ts): what is newer than that is still to be read.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { gunzipSync } from "node:zlib";
import * as v from "valibot";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import type { LogQuery, LogReader, LogRecord } from "./log-query.ts";

const BLOCK = 1 << 20;
const NEWLINE = 10;
const BACKSLASH = 0x5c;
const HEAD = '{"log":"';
const STREAM = '","stream":"std';
const TIME = '","time":"';
const TIME_LENGTH = 30;
/** `","stream":"stdout","time":"` + time + `"}`. */
const TAIL_LENGTH = STREAM.length + 3 + TIME.length + TIME_LENGTH + 2;

const recordSchema = v.object({
  log: v.string(),
  stream: v.picklist(["stdout", "stderr"]),
  time: v.pipe(v.string(), v.isoTimestamp()),
});

/** One of the files of a log, open. */
interface Part {
  readonly file: number;
  readonly isCompressed: boolean;
}

/** A file that is being rotated has no name for a moment; two that are missing are the log's end. */
const MOST_MISSING = 1;

/**
 * Opens the files of a log, the newest first.
 * @param known leaves out this one, and what is older
 */
function openParts(path: string, known?: Part): Part[] {
  const parts: Part[] = [];
  for (let number = 0, missing = 0; missing <= MOST_MISSING; number++) {
    const part = number === 0 ? openPart(path, false) : openNumbered(`${path}.${number}`);
    if (part === undefined) {
      if (number > 0) missing++;
      continue;
    }
    missing = 0;
    const last = parts.at(-1);
    const isKnown = known !== undefined && isSame(part, known);
    if (!isKnown && (last === undefined || !isSame(part, last))) {
      parts.push(part);
      continue;
    }
    closeSync(part.file);
    if (isKnown) break;
  }
  return parts;
}

function openNumbered(path: string): Part | undefined {
  return openPart(path, false) ?? openPart(`${path}.gz`, true);
}

function openPart(path: string, isCompressed: boolean): Part | undefined {
  try {
    return { file: openSync(path, "r"), isCompressed };
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
}

/** Whether two parts are the same, or one is the other compressed. */
function isSame(one: Part, other: Part): boolean {
  const [first, second] = [one, other].map(({ file }) => fstatSync(file, { bigint: true }));
  if (first?.ino === second?.ino) return true;
  return one.isCompressed !== other.isCompressed && first?.mtimeNs === second?.mtimeNs;
}

const SECOND = 1_000_000_000n;
const FULL_LENGTH = "2026-01-02T03:04:05.123456789Z".length;

/** Reads what is in a log now, and later what has been added; see the head of this file. */
export class JsonFileReader implements LogReader {
  readonly directories: readonly string[];
  readonly #path: string;
  readonly #from: string | undefined;
  readonly #to: string | undefined;
  /** The newest file that has been read so far. */
  #part: Part | undefined;
  #position = 0;
  /** The beginning of a line whose end is not there yet. */
  #rest = Buffer.alloc(0);
  #isOver = false;

  /** @param path of the newest file; it need not be there */
  constructor(path: string, query: LogQuery) {
    this.directories = [dirname(path)];
    this.#path = path;
    this.#from = query.since === undefined ? undefined : formatNanoseconds(query.since);
    this.#to = query.until === undefined ? undefined : formatNanoseconds(query.until);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  readPresent(tail: number | undefined, onRecord: (record: LogRecord) => void): void {
    const parts = openParts(this.#path);
    const starts: number[] = [];
    if (tail !== undefined) {
      let wanted = tail;
      for (const part of parts) {
        if (wanted <= 0 && starts.length > 0) break;
        const { start, count } = lastRecords(part, wanted);
        starts.push(start);
        wanted -= count;
      }
      for (const { file } of parts.splice(starts.length)) closeSync(file);
    }
    this.#readParts(parts, onRecord, starts);
  }

  readAdded(onRecord: (record: LogRecord) => void): void {
    for (;;) {
      this.#readOn(onRecord);
      if (this.#isOver || (this.#part !== undefined && isAt(this.#part, this.#path))) return;
      const parts = openParts(this.#path, this.#part);
      if (parts.length === 0) return;
      // What was written between the last read and the rotation.
      this.#readOn(onRecord);
      this.#readParts(parts, onRecord);
    }
  }

  /** @param parts newest first, as are `starts`, where to begin in them */
  #readParts(parts: Part[], onRecord: (record: LogRecord) => void, starts: readonly number[] = []): void {
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      this.#close();
      this.#part = part;
      this.#position = starts[parts.length] ?? 0;
      this.#rest = Buffer.alloc(0);
      if (part.isCompressed && !this.#isOver) this.#lines(readCompressed(part).subarray(this.#position), onRecord);
      else this.#readOn(onRecord);
    }
  }

  #close(): void {
    if (this.#part !== undefined) closeSync(this.#part.file);
    this.#part = undefined;
  }

  #readOn(onRecord: (record: LogRecord) => void): void {
    if (this.#part === undefined || this.#part.isCompressed) return;
    this.#position = this.#copyOut(this.#part.file, this.#position, onRecord);
  }

  #copyOut(file: number, start: number, onRecord: (record: LogRecord) => void): number {
    const block = Buffer.allocUnsafe(BLOCK);
    let position = start;
    while (!this.#isOver) {
      const count = readSync(file, block, 0, BLOCK, position);
      if (count === 0) break;
      position += count;
      this.#lines(block.subarray(0, count), onRecord);
    }
    return position;
  }

  #lines(added: Buffer, onRecord: (record: LogRecord) => void): void {
    const bytes = this.#rest.length === 0 ? added : Buffer.concat([this.#rest, added]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0 && !this.#isOver; end = bytes.indexOf(NEWLINE, start)) {
      const record = readRecord(bytes, start, end);
      start = end + 1;
      if (record === undefined || (this.#from !== undefined && withAllDigits(record.time) < this.#from)) continue;
      if (this.#to !== undefined && withAllDigits(record.time) > this.#to) this.#isOver = true;
      else onRecord(record);
    }
    // A copy, since the block is used again.
    this.#rest = Buffer.from(bytes.subarray(start));
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

function isAt({ file }: Part, path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file).ino;
}

function readCompressed({ file }: Part): Buffer {
  const bytes = Buffer.allocUnsafe(fstatSync(file).size);
  return gunzipSync(bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)));
}

/** Where the last `wanted` records of a file begin, and how many there are. */
function lastRecords(part: Part, wanted: number): { readonly start: number; readonly count: number } {
  const { file, isCompressed } = part;
  if (isCompressed) {
    const whole = readCompressed(part);
    return searchBackwards(whole.length, wanted, (start, length) => whole.subarray(start, start + length));
  }
  const block = Buffer.allocUnsafe(BLOCK);
  return searchBackwards(fstatSync(file).size, wanted, (start, length) => {
    return block.subarray(0, readSync(file, block, 0, length, start));
  });
}

function searchBackwards(size: number, wanted: number, read: (start: number, length: number) => Buffer) {
  if (wanted === 0) return { start: size, count: 0 };
  let count = 0;
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - BLOCK);
    const block = read(begin, end - begin);
    for (
      let index = block.lastIndexOf(NEWLINE);
      index >= 0;
      index = index === 0 ? -1 : block.lastIndexOf(NEWLINE, index - 1)
    ) {
      // The line that begins behind this one's end is the last of those that are wanted.
      if (count === wanted) return { start: begin + index + 1, count };
      if (begin + index + 1 <= size) count++;
    }
    end = begin;
  }
  return { start: 0, count };
}

function readRecord(bytes: Buffer, start: number, end: number): LogRecord | undefined {
  const textStart = start + HEAD.length;
  const textEnd = end - TAIL_LENGTH;
  if (
    textEnd >= textStart &&
    bytes.toString("latin1", start, textStart) === HEAD &&
    bytes.toString("latin1", textEnd, textEnd + STREAM.length) === STREAM
  ) {
    const streamStart = textEnd + STREAM.length;
    const timeStart = streamStart + 3 + TIME.length;
    const stream = bytes[streamStart] === 0x6f ? "stdout" : "stderr";
    const time = bytes.toString("latin1", timeStart, timeStart + TIME_LENGTH);
    const escaped = bytes.indexOf(BACKSLASH, textStart);
    if (escaped < 0 || escaped >= textEnd) return { stream, time, bytes: bytes.subarray(textStart, textEnd) };
    if (escaped === textEnd - 2 && bytes[textEnd - 1] === 0x6e) {
      // The line's end takes the place of its escape, in a block that is not read again.
      bytes[escaped] = NEWLINE;
      return { stream, time, bytes: bytes.subarray(textStart, escaped + 1) };
    }
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), bytes.toString("utf8", start, end));
  if (!parsed.success) return undefined;
  const { log, stream, time } = parsed.output;
  return { stream, time, bytes: Buffer.from(log) };
}

/** A time as records have it, with all nine digits of its fraction, so that such texts are in the order of time. */
function formatNanoseconds(time: bigint): string {
  const fraction = ((time % SECOND) + SECOND) % SECOND;
  const seconds = new Date(Number((time - fraction) / 1_000_000n)).toISOString();
  return `${seconds.slice(0, -4)}${String(fraction).padStart(9, "0")}Z`;
}

/** Other writers leave the zeros at its end out. */
function withAllDigits(time: string): string {
  if (time.length === FULL_LENGTH) return time;
  const [seconds = "", fraction = ""] = time.slice(0, -1).split(".");
  return `${seconds}.${fraction.padEnd(9, "0")}Z`;
}
