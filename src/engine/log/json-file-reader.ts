/*
 * Reads logs that json-file-writer.ts writes, also rotated and compressed ones, oldest first.
 *
 * A record that this Bunker has written has a tail of fixed length, and mostly a text without escapes but for the line's
 * end: then its text is a piece of the file and nothing is parsed. Everything else is parsed as JSON; a line that is none
 * (the end of a log that lost its power) is passed over. For the last N records files are searched from their end.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { gunzipSync } from "node:zlib";
import * as v from "valibot";
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

/** The files of a log that are there, oldest first. */
function filesOf(path: string): string[] {
  const aside: string[] = [];
  for (let number = 1; ; number++) {
    const found = [`${path}.${number}`, `${path}.${number}.gz`].find(existsSync);
    if (found === undefined) break;
    aside.unshift(found);
  }
  return existsSync(path) ? [...aside, path] : aside;
}

const SECOND = 1_000_000_000n;
const FULL_LENGTH = "2026-01-02T03:04:05.123456789Z".length;

/** Reads what is in a log now, and later what has been added; see the head of this file. */
export class JsonFileReader implements LogReader {
  readonly directories: readonly string[];
  readonly #path: string;
  readonly #from: string | undefined;
  readonly #to: string | undefined;
  #file: number | undefined;
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
    const files = filesOf(this.#path);
    let wanted = tail ?? Number.POSITIVE_INFINITY;
    const starts: { readonly file: string; readonly start: number }[] = [];
    for (const file of files.toReversed()) {
      if (wanted <= 0 && file !== this.#path) break;
      const { start, count } = Number.isFinite(wanted) ? lastRecords(file, wanted) : { start: 0, count: 0 };
      starts.unshift({ file, start });
      wanted -= count;
    }
    for (const { file, start } of starts) {
      if (file === this.#path) {
        this.#open();
        this.#position = start;
        this.#readOn(onRecord);
      } else if (file.endsWith(".gz")) {
        this.#lines(gunzipSync(readFileSync(file)).subarray(start), onRecord);
      } else {
        const opened = openSync(file, "r");
        this.#copyOut(opened, start, onRecord);
        closeSync(opened);
      }
      if (this.#isOver) return;
    }
  }

  readAdded(onRecord: (record: LogRecord) => void): void {
    if (this.#file === undefined && !this.#open()) return;
    this.#readOn(onRecord);
    if (this.#file !== undefined && isReplaced(this.#file, this.#path)) {
      // What was written between the last read and the rotation.
      this.#readOn(onRecord);
      this.#close();
      if (this.#open()) this.#readOn(onRecord);
    }
  }

  #open(): boolean {
    if (this.#file !== undefined) return true;
    if (!existsSync(this.#path)) return false;
    this.#file = openSync(this.#path, "r");
    this.#position = 0;
    return true;
  }

  #close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #readOn(onRecord: (record: LogRecord) => void): void {
    if (this.#file !== undefined) this.#position = this.#copyOut(this.#file, this.#position, onRecord);
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

function isReplaced(file: number, path: string): boolean {
  try {
    const now = openSync(path, "r");
    const isOther = fstatSync(now).ino !== fstatSync(file).ino;
    closeSync(now);
    return isOther;
  } catch {
    return true;
  }
}

/** Where the last `wanted` records of a file begin, and how many there are. */
function lastRecords(path: string, wanted: number): { readonly start: number; readonly count: number } {
  if (path.endsWith(".gz")) {
    const whole = gunzipSync(readFileSync(path));
    return searchBackwards(whole.length, wanted, (start, length) => whole.subarray(start, start + length));
  }
  const file = openSync(path, "r");
  try {
    const block = Buffer.allocUnsafe(BLOCK);
    return searchBackwards(fstatSync(file).size, wanted, (start, length) => {
      return block.subarray(0, readSync(file, block, 0, length, start));
    });
  } finally {
    closeSync(file);
  }
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
