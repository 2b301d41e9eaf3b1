/*
 * What the machine code that makes records of lines works on: a structure and a table, both of 64-bit numbers.
 * json-records.ts says what the records are.
 *
 * The code takes whole lines, one after the other, until it comes to one that it leaves to others: because its end has not
 * come, because it is longer than LONGEST_LINE, because a byte of it stops the code, or because there is no room. What the
 * structure says is always as of the end of a line.
 */

/** Where the fields of the structure are. */
export const WorkField = {
  /** The address of the first line that is left. */
  source: 0,
  /** The address behind the last byte. */
  sourceEnd: 8,
  /** Where the text of that line's record goes. */
  destination: 16,
  /** No line is begun whose text would go behind this. */
  destinationLimit: 24,
  /** The address of the table that says what becomes of each byte. */
  table: 32,
  /** The address of what is written between the texts of two lines. */
  between: 40,
  /** The addresses of the first and the last of its decimal digits that are counted up with each line. */
  firstDigit: 48,
  lastDigit: 56,
} as const;
export const WORK_SIZE = 64;

/**
 * The table has 8 bytes for each byte: all zero if it is written as it is, or else up to six bytes that are written
 * instead of it, and in the last byte how many they are, or one of these.
 */
export const ByteKind = { newline: 0xfe, stop: 0xff } as const;
export const TABLE_ENTRY_SIZE = 8;

/**
 * Where the processor compares 16 bytes at once, the code writes those as they are that are above the first of these as
 * signed bytes and none of the others: all that the table may have something else for. It finds them in front of the table,
 * as rows of 16 equal bytes, at an address that is a multiple of 16.
 */
const COMPARED = [0x1f, ...[...'"&<>\\'].map((character) => character.charCodeAt(0))];
export const ROW_SIZE = 16;
export const ROWS_SIZE = COMPARED.length * ROW_SIZE;

/** The rows in front of the table. */
export function comparedRows(): Buffer {
  return Buffer.concat(COMPARED.map((byte) => Buffer.alloc(ROW_SIZE, byte)));
}

/** Bytes of a line at most, its end counted. */
export const LONGEST_LINE = 16_384;

/** Decimal digits as bytes. */
export const Digit = { zero: 0x30, nine: 0x39 } as const;
