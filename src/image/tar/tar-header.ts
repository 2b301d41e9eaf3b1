/*
 * The fields of one 512-byte tar header block: POSIX ustar, GNU and old V7; tar(5).
 */

import { type ByteString, byteStringOf } from "../../sys/byte-string.ts";
import { withoutSlowestCompiler } from "../../sys/without-slowest-compiler.ts";
import { archiveError } from "./tar-error.ts";

export const BLOCK_SIZE = 512;

/** Where a field lies in the block; bytes. */
export interface Field {
  readonly offset: number;
  readonly length: number;
}

const field = (offset: number, length: number): Field => ({ offset, length });

/** Where the fields lie. */
export const HeaderField = {
  name: field(0, 100),
  mode: field(100, 8),
  uid: field(108, 8),
  gid: field(116, 8),
  size: field(124, 12),
  modified: field(136, 12),
  checksum: field(148, 8),
  linkName: field(157, 100),
  magic: field(257, 6),
  deviceMajor: field(329, 8),
  deviceMinor: field(337, 8),
  /** Of POSIX only: GNU keeps other things there. */
  prefix: field(345, 155),
} as const;

/** Where the one byte of the entry's type is. */
export const TYPE_OFFSET = 156;
const SPACE = 0x20;
const ZERO = 0x30;
const SEVEN = 0x37;

/** The type flag of an entry, `"0"` for the NUL of old archives. */
export function typeFlag(block: Buffer): string {
  const flag = block[TYPE_OFFSET] ?? 0;
  return flag === 0 ? "0" : String.fromCharCode(flag);
}

/** The bytes of a text field up to its first NUL. */
export function readText(block: Buffer, { offset, length }: Field): ByteString {
  const nul = block.indexOf(0, offset);
  return byteStringOf(block, offset, nul < 0 || nul > offset + length ? offset + length : nul);
}

/** The name of the entry, with the prefix that POSIX archives may keep apart. */
export function readName(block: Buffer): ByteString {
  const name = readText(block, HeaderField.name);
  if (readText(block, HeaderField.magic) !== "ustar") return name;
  const prefix = readText(block, HeaderField.prefix);
  return prefix === "" ? name : (`${prefix}/${name}` as ByteString);
}

/**
 * A number: octal digits among spaces and NULs, or big-endian two's complement when the first bit is set.
 * @throws BunkerError `archive_invalid` for anything else, and beyond 2^53
 */
export function readNumber(block: Buffer, { offset, length }: Field): number {
  const first = block[offset] ?? 0;
  const value = (first & 0x80) === 0 ? readOctal(block, offset, length) : readBinary(block, offset, length);
  if (!Number.isSafeInteger(value)) throw archiveError("a header has a number that is no number");
  return value;
}

/** A number that cannot be negative. */
export function readUnsigned(block: Buffer, where: Field): number {
  const value = readNumber(block, where);
  if (value < 0) throw archiveError("a header has a negative number where none may be");
  return value;
}

function readOctal(block: Buffer, offset: number, length: number): number {
  let at = offset;
  let end = offset + length;
  while (at < end && (block[at] === SPACE || block[at] === 0)) at++;
  while (end > at && (block[end - 1] === SPACE || block[end - 1] === 0)) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at] ?? 0;
    // A NUL ends the number; some writers leave old bytes behind it.
    if (digit === 0) break;
    if (digit < ZERO || digit > SEVEN) return Number.NaN;
    value = value * 8 + digit - ZERO;
  }
  return value;
}

function readBinary(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  // Bit 7 is the mark of this form, bit 6 the sign.
  let value = (first & 0x40) === 0 ? first & 0x3f : (first & 0x7f) - 0x80;
  for (let at = offset + 1; at < offset + length; at++) value = value * 256 + (block[at] ?? 0);
  return value;
}

/** Whether the block's checksum is right, counted with unsigned bytes or, as some old writers do, with signed ones. */
export function hasValidChecksum(block: Buffer): boolean {
  const { offset, length } = HeaderField.checksum;
  const stated = readOctal(block, offset, length);
  // Most of a block is zeros.
  let unsigned = SPACE * length;
  let high = 0;
  for (let at = 0; at < BLOCK_SIZE; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0) continue;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = offset; at < offset + length; at++) {
    const byte = block[at] ?? 0;
    unsigned -= byte;
    high -= byte >> 7;
  }
  return stated === unsigned || stated === unsigned - 256 * high;
}

/** Whether all bytes are zero, as in the two blocks at the end of an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}

// Called for every entry of an archive.
withoutSlowestCompiler(readText, readNumber, readOctal, hasValidChecksum);
