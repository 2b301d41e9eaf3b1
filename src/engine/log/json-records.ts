/*
 * Output as records in the form of Docker's json-file driver, into one buffer.
 *
 *   {"log":"hello\n","stream":"stdout","time":"2026-01-31T12:00:00.123000001Z"}
 *
 * A container that talks much costs its supervisor mostly this. So whole lines of ASCII, as most are, become records by
 * machine code (line-code/), all of a piece of output in one call: through a table that has what becomes of each byte, and
 * where the processor allows it 16 bytes at once, up to the next one that is not written as it is.
 * Other lines, and what has no end yet, go byte by byte through JavaScript. The tail of a record, which has always the
 * same length, is kept as bytes, in which the time is counted up like the kilometres of an odometer. The clock is read
 * once for each piece of output, because all of it was read from the container at once; the digits below the milliseconds
 * tell the records apart.
 *
 * Escaped is what Docker escapes (its jsonlog package): controls, quotes, backslashes, <, > and &, the separators U+2028
 * and U+2029; and each byte that is no UTF-8 becomes U+FFFD, as in Go.
 */
import { hostArchitecture } from "../../sys/architecture.ts";
import { getInteger64, setInteger64 } from "../../sys/integer64.ts";
import { machineFunction } from "../../sys/machine-code.ts";
import { allocate, type Memory } from "../../sys/memory.ts";
import { mapMemory } from "../../sys/system-call.ts";
import { BETWEEN, ESCAPED_NEWLINE, HEAD } from "./json-record-text.ts";
import { lineCodes } from "./line-code/line-codes.ts" with { type: "macro" };
import {
  ByteKind,
  comparedRows,
  Digit,
  LONGEST_LINE,
  ROW_SIZE,
  ROWS_SIZE,
  TABLE_ENTRY_SIZE,
  WORK_SIZE,
  WorkField,
} from "./line-code/line-work.ts";
import type { LogStream } from "./log-writer.ts";
import { utf8Length } from "./utf8-length.ts";

/** Bytes of a piece of output at most. */
export const PIECE_SIZE = 65_536;
const SIZE = 262_144;
/** Where in that stands which of the two streams of the same length it is. */
const STREAM_AT = BETWEEN.indexOf("out");
const TIME_AT = BETWEEN.indexOf("2026");
/** How long a time is up to its milliseconds. */
const TIME_LENGTH = "2026-01-31T12:00:00.123".length;
/** The first and the last of the six digits that count. */
const COUNT_START = TIME_AT + TIME_LENGTH;
const COUNT_END = COUNT_START + 5;
/** `\u0000`, for one byte. */
const LONGEST_ESCAPE = 6;
/** The most that a line becomes, with what is written too much when bytes are copied 16 at once. */
const LONGEST_RECORD = LONGEST_LINE * LONGEST_ESCAPE + BETWEEN.length + ROW_SIZE;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const LETTER_D = 0x64;
const LETTER_F = 0x66;
const NEWLINE = 0x0a;

const codes = lineCodes();

/** What is written instead of a byte of ASCII; nothing for one that is written itself. */
function escapeOf(byte: number): string {
  const character = String.fromCharCode(byte);
  if (byte === NEWLINE) return "";
  if (character === "\r") return "\\r";
  if (character === '"' || character === "\\") return `\\${character}`;
  return byte >= 0x20 && !"<>&".includes(character) ? "" : `\\u${byte.toString(16).padStart(4, "0")}`;
}

/** The table of line-code/line-work.ts, with what stands in front of it. */
function escapeTable(): { readonly address: number; readonly buffer: Buffer } {
  const memory = mapMemory(ROWS_SIZE + 256 * TABLE_ENTRY_SIZE, "private");
  memory.buffer.set(comparedRows());
  const table = { address: memory.address + ROWS_SIZE, buffer: memory.buffer.subarray(ROWS_SIZE) };
  const { buffer } = table;
  const kindAt = (byte: number) => (byte + 1) * TABLE_ENTRY_SIZE - 1;
  for (let byte = 0; byte < 0x80; byte++) {
    buffer[kindAt(byte)] = buffer.write(escapeOf(byte), byte * TABLE_ENTRY_SIZE, "latin1");
  }
  buffer[kindAt(NEWLINE)] = ByteKind.newline;
  for (let byte = 0x80; byte < 0x100; byte++) buffer[kindAt(byte)] = ByteKind.stop;
  return table;
}

/** Makes records of output; see the head of this file. */
export class JsonRecords {
  /** Begins with HEAD, as each record does before its text is there. */
  readonly #memory: Memory = mapMemory(SIZE, "private");
  readonly #piece = mapMemory(PIECE_SIZE, "private");
  readonly #between = allocate(Math.ceil(BETWEEN.length / 8) * 8);
  readonly #table = escapeTable();
  readonly #work = allocate(WORK_SIZE);
  readonly #makeRecords = machineFunction(codes[hostArchitecture()]);
  /** Behind HEAD. */
  #position = this.#memory.buffer.write(HEAD, "latin1");
  #milliseconds = 0;

  constructor() {
    this.#between.buffer.write(BETWEEN, "latin1");
    const { view } = this.#work;
    setInteger64(view, WorkField.table, this.#table.address);
    setInteger64(view, WorkField.between, this.#between.address);
    setInteger64(view, WorkField.firstDigit, this.#between.address + COUNT_START);
    setInteger64(view, WorkField.lastDigit, this.#between.address + COUNT_END);
  }

  /** The address of what was made. */
  get address(): number {
    return this.#memory.address;
  }

  /** How many bytes were made since they were last taken. */
  get length(): number {
    return this.#position - HEAD.length;
  }

  /**
   * Begins with a piece of a stream's output, that has just come.
   * @param piece of at most PIECE_SIZE bytes
   */
  begin(stream: LogStream, piece: Buffer): void {
    piece.copy(this.#piece.buffer);
    setInteger64(this.#work.view, WorkField.sourceEnd, this.#piece.address + piece.length);
    const { buffer } = this.#between;
    buffer.write(stream.slice(-3), STREAM_AT, "latin1");
    const milliseconds = Date.now();
    if (milliseconds === this.#milliseconds) return;
    this.#milliseconds = milliseconds;
    const time = new Date(milliseconds).toISOString().slice(0, TIME_LENGTH);
    buffer.write(`${time}000000`, TIME_AT, "latin1");
  }

  /** Whether there is room for the record of a line, whatever is in it. */
  get hasRoom(): boolean {
    return this.#position + LONGEST_RECORD <= SIZE;
  }

  /** Forgets what was made after `length`. */
  cut(length: number): void {
    this.#position = length + HEAD.length;
  }

  /**
   * Makes records of whole lines of the piece, while there is room.
   * @param start where the first of them begins
   * @param limit how many bytes may have been made when another line is begun
   * @returns where the first line begins that is left: there is no room for it, it has no end, or it is not ASCII
   */
  addLines(start: number, limit: number): number {
    const { view, address } = this.#work;
    const output = this.#memory.address;
    setInteger64(view, WorkField.source, this.#piece.address + start);
    setInteger64(view, WorkField.destination, output + this.#position);
    const last = Math.min(SIZE - LONGEST_RECORD, HEAD.length + limit);
    setInteger64(view, WorkField.destinationLimit, output + last);
    this.#makeRecords(address);
    // Integers also for the compiler, which takes a difference of large numbers for a floating-point number: indexing with
    // such a one makes the loop below half as fast.
    this.#position = (getInteger64(view, WorkField.destination) - output) | 0;
    return (getInteger64(view, WorkField.source) - this.#piece.address) | 0;
  }

  /**
   * Makes a record of bytes, up to the first line's end, which is a part of it, or up to `end`. There must be room.
   * @returns where the record's bytes end
   */
  addLine(bytes: Buffer, start: number, end: number): number {
    const output = this.#memory.buffer;
    const table = this.#table.buffer;
    let position = this.#position;
    let isLine = false;
    let index = start;
    while (index < end && !isLine) {
      const byte = bytes[index] as number;
      if (byte < 0x80) {
        const entry = byte * TABLE_ENTRY_SIZE;
        const kind = table[entry + TABLE_ENTRY_SIZE - 1] as number;
        if (kind === 0) output[position++] = byte;
        else if (kind === ByteKind.newline) isLine = true;
        else for (let place = entry; place < entry + kind; place++) output[position++] = table[place] as number;
        index++;
      } else {
        const length = utf8Length(bytes, index, end);
        if (length === 0) {
          output[position] = BACKSLASH;
          output[position + 1] = LETTER_U;
          output[position + 2] = output[position + 3] = output[position + 4] = LETTER_F;
          output[position + 5] = LETTER_D;
          position += LONGEST_ESCAPE;
        } else if (isSeparator(bytes, index, length)) {
          position += output.write(`\\u202${8 + ((bytes[index + 2] as number) & 1)}`, position, "latin1");
        } else {
          for (let place = index; place < index + length; place++) output[position++] = bytes[place] as number;
        }
        index += length === 0 ? 1 : length;
      }
    }
    this.#position = position;
    this.#endRecord(isLine);
    return index;
  }

  #endRecord(isLine: boolean): void {
    const { buffer } = this.#between;
    const start = isLine ? 0 : ESCAPED_NEWLINE.length;
    this.#position += buffer.copy(this.#memory.buffer, this.#position, start, BETWEEN.length);
    for (let place = COUNT_END; place >= COUNT_START; place--) {
      const digit = buffer[place] as number;
      buffer[place] = digit < Digit.nine ? digit + 1 : Digit.zero;
      if (digit < Digit.nine) return;
    }
  }
}

/** Whether a character is U+2028 or U+2029, which end a line in JavaScript. */
function isSeparator(bytes: Buffer, index: number, length: number): boolean {
  return (
    length === 3 && bytes[index] === 0xe2 && bytes[index + 1] === 0x80 && ((bytes[index + 2] as number) | 1) === 0xa9
  );
}
