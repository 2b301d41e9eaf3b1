/*
 * Files with holes: GNU tar keeps only the parts that have data, one after the other, and a map that says where in the
 * file each part belongs. The map comes in four forms: in the header and the blocks after it (old GNU, type `S`), in
 * pax records (0.0: one pair of records for each part, 0.1: one record), or as text before the data (1.0).
 */
import { archiveError } from "./tar-error.ts";
import { readUnsigned } from "./tar-header.ts";

/** A part of a file that has data; bytes. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** Parts that one map may have: a hostile map should not cost memory. */
const MAXIMUM_SEGMENTS = 1_000_000;

const PAIR_SIZE = 24;
const HEADER_MAP = 386;
const HEADER_PAIRS = 4;
const HEADER_EXTENDED = 482;
const EXTENSION_PAIRS = 21;
const EXTENSION_EXTENDED = 504;
const REAL_SIZE = { offset: 483, length: 12 };

/** The size of an old GNU sparse file with its holes, from its header block. */
export function readOldRealSize(block: Buffer): number {
  return readUnsigned(block, REAL_SIZE);
}

/**
 * Appends the parts named in a block of an old GNU sparse file to `segments`.
 * @param kind the entry's header block, or one of the extension blocks after it
 * @returns whether another extension block follows
 */
export function readOldSegments(block: Buffer, kind: "header" | "extension", segments: Segment[]): boolean {
  const start = kind === "header" ? HEADER_MAP : 0;
  const pairs = kind === "header" ? HEADER_PAIRS : EXTENSION_PAIRS;
  for (let pair = 0; pair < pairs; pair++) {
    const at = start + pair * PAIR_SIZE;
    if (block[at] === 0) break;
    segments.push({
      offset: readUnsigned(block, { offset: at, length: 12 }),
      length: readUnsigned(block, { offset: at + 12, length: 12 }),
    });
  }
  if (segments.length > MAXIMUM_SEGMENTS) throw archiveError("the map of a sparse file is too long");
  return block[kind === "header" ? HEADER_EXTENDED : EXTENSION_EXTENDED] !== 0;
}

/** Pairs up a list of numbers: offset, length, offset, length, … */
export function segmentsOf(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw archiveError("the map of a sparse file is incomplete");
  const segments: Segment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    segments.push({ offset: numbers[index] ?? 0, length: numbers[index + 1] ?? 0 });
  }
  return segments;
}

/**
 * Checks that a map is in order, lies within the file and describes as much data as the archive holds.
 * @param stored bytes of data in the archive
 */
export function checkSegments(segments: readonly Segment[], size: number, stored: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of segments) {
    if (offset < end || offset + length > size) throw archiveError("the map of a sparse file is out of order");
    end = offset + length;
    total += length;
  }
  if (total !== stored) throw archiveError("the map of a sparse file does not fit its data");
}

/** The map of format 1.0: decimal numbers on lines, the count of parts first, padded to whole blocks. */
export class TextMap {
  #rest = "";
  #count: number | undefined;
  readonly #numbers: number[] = [];

  /**
   * Takes the next block.
   * @returns the parts once the map is complete
   * @throws BunkerError `archive_invalid`
   */
  add(block: Buffer): Segment[] | undefined {
    const lines = (this.#rest + block.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!/^[0-9]{1,16}$/.test(line)) throw archiveError("the map of a sparse file has a number that is no number");
      if (this.#count === undefined) this.#count = Number(line);
      else this.#numbers.push(Number(line));
      if (this.#count > MAXIMUM_SEGMENTS) throw archiveError("the map of a sparse file is too long");
      // What follows in this block is padding.
      if (this.#numbers.length === 2 * this.#count) return segmentsOf(this.#numbers);
    }
    if (this.#rest.length > block.length) throw archiveError("the map of a sparse file has no lines");
    return undefined;
  }
}
