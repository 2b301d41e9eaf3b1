/*
 * Output as records in the form of Docker's json-file driver, into one buffer.
 *
 *   {"log":"hello\n","stream":"stdout","time":"2026-01-31T12:00:00.123000001Z"}
 *
 * A container that talks much costs its supervisor mostly this. Whole lines of bytes that can be taken over, as most are,
 * are found by a regular expression and copied, both in native code, which is quick from the first line on; others go byte
 * by byte through a table, in a loop that the compiler has to learn first. The tail of a record, which has always the same
 * length, is kept as bytes, in which the time is counted up like the kilometres of an odometer. The clock is read once for
 * each piece of output, because all of it was read from the container at once; the digits below the milliseconds tell
 * the records apart.
 *
 * Escaped is what Docker escapes (its jsonlog package): controls, quotes, backslashes, <, > and &, the separators U+2028
 * and U+2029; and each byte that is no UTF-8 becomes U+FFFD, as in Go.
 */
import { allocate, type Memory } from "../../sys/memory.ts";
import type { LogStream } from "./log-writer.ts";
import { utf8Length } from "./utf8-length.ts";

const SIZE = 262_144;
const HEAD = '{"log":"';
const TAIL = '","stream":"stdout","time":"2026-01-31T12:00:00.123000000Z"}\n';
const ESCAPED_NEWLINE = "\\n";
/** What is between the texts of two lines. */
const BETWEEN = `${ESCAPED_NEWLINE}${TAIL}${HEAD}`;
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
/** What is not taken over as it is, in a line. */
const SPECIAL = /[^\n\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x5b\x5d-\x7f]/g;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const HEXADECIMAL = Buffer.from("0123456789abcdef");
const LETTER_D = 0x64;
const LETTER_F = 0x66;
const ZERO = 0x30;
const NINE = 0x39;

/** 1 for each byte that is taken over as it is. */
function plainBytes(): Uint8Array {
  const isPlain = (byte: number) => byte >= 0x20 && byte < 0x80 && !'"\\<>&'.includes(String.fromCharCode(byte));
  return Uint8Array.from({ length: 256 }, (_, byte) => (isPlain(byte) ? 1 : 0));
}

/** Makes records of output; see the head of this file. */
export class JsonRecords {
  /** Begins with HEAD, as each record does before its text is there. */
  readonly #memory: Memory = allocate(SIZE);
  readonly #plain = plainBytes();
  readonly #between = Buffer.from(BETWEEN);
  /** Behind HEAD. */
  #position = this.#memory.buffer.write(HEAD, "latin1");
  #milliseconds = 0;
  #piece: Buffer = Buffer.alloc(0);
  /** The same, a character for each byte. */
  #text = "";
  /** Where the piece's first special byte is, from some place on. */
  #special = 0;

  /** The address of what was made. */
  get address(): number {
    return this.#memory.address;
  }

  /** How many bytes were made since they were last taken. */
  get length(): number {
    return this.#position - HEAD.length;
  }

  /** Begins with a piece of a stream's output, that has just come. */
  begin(stream: LogStream, piece: Buffer): void {
    this.#piece = piece;
    this.#text = piece.toString("latin1");
    this.#special = -1;
    this.#between.write(stream.slice(-3), STREAM_AT, "latin1");
    const milliseconds = Date.now();
    if (milliseconds === this.#milliseconds) return;
    this.#milliseconds = milliseconds;
    const time = new Date(milliseconds).toISOString().slice(0, TIME_LENGTH);
    this.#between.write(`${time}000000`, TIME_AT, "latin1");
  }

  /** Whether there is room for a record of so many bytes, whatever they are. */
  hasRoom(bytes: number): boolean {
    return this.#position + bytes * LONGEST_ESCAPE + this.#between.length <= SIZE;
  }

  /** Forgets what was made after `length`. */
  cut(length: number): void {
    this.#position = length + HEAD.length;
  }

  /**
   * Makes a record of the piece's bytes up to the first line's end, which is a part of it, or up to `end`.
   * @returns where the record's bytes end
   */
  add(start: number, end: number): number {
    const newline = this.#text.indexOf("\n", start);
    if (newline < 0 || newline >= end || this.#specialFrom(start) < newline) {
      return this.addBytes(this.#piece, start, end);
    }
    this.#position += this.#piece.copy(this.#memory.buffer, this.#position, start, newline);
    this.#endRecord(true);
    return newline + 1;
  }

  /** Makes a record of other bytes in the same way. */
  addBytes(bytes: Buffer, start: number, end: number): number {
    const output = this.#memory.buffer;
    const plain = this.#plain;
    let position = this.#position;
    let isLine = false;
    let index = start;
    while (index < end && !isLine) {
      const byte = bytes[index] as number;
      if (plain[byte] === 1) {
        output[position++] = byte;
        index++;
      } else if (byte === NEWLINE) {
        isLine = true;
        index++;
      } else if (byte < 0x80) {
        position = writeEscaped(output, position, byte);
        index++;
      } else {
        const length = utf8Length(bytes, index, end);
        if (length === 0) {
          output[position] = BACKSLASH;
          output[position + 1] = LETTER_U;
          output[position + 2] = output[position + 3] = output[position + 4] = LETTER_F;
          output[position + 5] = LETTER_D;
          position += 6;
        } else if (isSeparator(bytes, index, length)) {
          position = writeCode(output, position, 0x2028 + ((bytes[index + 2] as number) & 1));
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

  #specialFrom(start: number): number {
    if (this.#special < start) {
      SPECIAL.lastIndex = start;
      this.#special = SPECIAL.exec(this.#text)?.index ?? Number.POSITIVE_INFINITY;
    }
    return this.#special;
  }

  #endRecord(isLine: boolean): void {
    const between = this.#between;
    this.#position += between.copy(this.#memory.buffer, this.#position, isLine ? 0 : ESCAPED_NEWLINE.length);
    for (let place = COUNT_END; place >= COUNT_START; place--) {
      const digit = between[place] as number;
      if (digit < NINE) {
        between[place] = digit + 1;
        return;
      }
      between[place] = ZERO;
    }
    // A millisecond has no more times: from here on it is the last of them.
    between.fill(NINE, COUNT_START, COUNT_END + 1);
  }
}

/** Whether a character is U+2028 or U+2029, which end a line in JavaScript. */
function isSeparator(bytes: Buffer, index: number, length: number): boolean {
  return (
    length === 3 && bytes[index] === 0xe2 && bytes[index + 1] === 0x80 && ((bytes[index + 2] as number) | 1) === 0xa9
  );
}

function writeEscaped(output: Buffer, position: number, byte: number): number {
  if (byte !== CARRIAGE_RETURN && byte !== QUOTE && byte !== BACKSLASH) return writeCode(output, position, byte);
  output[position] = BACKSLASH;
  output[position + 1] = byte === CARRIAGE_RETURN ? 0x72 : byte;
  return position + 2;
}

/** Writes `\\u` and four digits, digit by digit: what is no text consists of little else. */
function writeCode(output: Buffer, position: number, code: number): number {
  output[position] = BACKSLASH;
  output[position + 1] = LETTER_U;
  for (let digit = 0; digit < 4; digit++)
    output[position + 2 + digit] = HEXADECIMAL[(code >> (12 - 4 * digit)) & 15] as number;
  return position + 6;
}
