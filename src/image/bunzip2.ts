/*
 * Decompression of bzip2, which neither Bun nor the kernel has. For archives that people still keep in this form; layers
 * are never compressed so.
 *
 * A stream is a header (`BZh` and a digit: the size of a block in units of 100 000 bytes) and blocks, not aligned to bytes;
 * several streams may follow each other. A block is, from the outside in: Huffman codes, of up to six tables that alternate
 * every 50 symbols; runs of zeros in a bijective base 2; a list of bytes with the latest in front (move to front); the
 * Burrows-Wheeler transform; and runs of four equal bytes with a count behind them.
 *
 * A block does not say how long it is. The longest possible one is known, so that many bytes are gathered before one is
 * decoded, and decoding need not stop in between.
 */

/** Bits of the longest code. */
const LONGEST_CODE = 20;
const GROUP_SIZE = 50;
const BLOCK_UNIT = 100_000;
/** Bytes that a compressed block has at most: each byte of the largest takes one code; then the tables and selectors. */
const LONGEST_BLOCK = (9 * BLOCK_UNIT * LONGEST_CODE) / 8 + 65536;

/** That the bytes are not what the format says. */
export class DamagedBzip2 extends Error {
  readonly code = "BZIP2_DAMAGED";
}

/**
 * Decompresses bzip2.
 * @throws DamagedBzip2, and what the source throws
 */
export async function* bunzip2(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const bits = new BitReader(source);
  await bits.gather();
  do {
    const level = readHeader(bits);
    const block = new Uint32Array(level * BLOCK_UNIT);
    let combined = 0;
    for (;;) {
      await bits.gather();
      const [high, low] = [bits.read(24), bits.read(24)];
      if (high === 0x177245 && low === 0x385090) break;
      if (high !== 0x314159 || low !== 0x265359) throw new DamagedBzip2("no block where one should begin");
      const expected = bits.readWord();
      const output = decodeBlock(bits, block);
      const actual = checksum(output);
      if (actual !== expected) throw new DamagedBzip2("a block has another checksum than it says");
      combined = ((combined << 1) | (combined >>> 31)) ^ actual;
      yield output;
    }
    if (bits.readWord() !== combined >>> 0) throw new DamagedBzip2("the stream has another checksum than it says");
    bits.align();
    await bits.gather();
  } while (bits.isAtStream());
}

function readHeader(bits: BitReader): number {
  const level = bits.read(24) === 0x425a68 ? bits.read(8) - 0x30 : 0;
  if (level < 1 || level > 9) throw new DamagedBzip2("no header of a stream");
  return level;
}

/** Bits of a stream, the most significant of each byte first. */
class BitReader {
  readonly #source: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;
  #isOver = false;
  #held = 0;
  #count = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Waits until the longest block is there, or everything. */
  async gather(): Promise<void> {
    const pieces = [this.#bytes.subarray(this.#position)];
    let length = pieces[0]?.length ?? 0;
    if (this.#isOver || length >= LONGEST_BLOCK) return;
    while (length < 2 * LONGEST_BLOCK) {
      const { done, value } = await this.#source.next();
      if (done) {
        this.#isOver = true;
        break;
      }
      pieces.push(value);
      length += value.length;
    }
    this.#bytes = Buffer.concat(pieces, length);
    this.#position = 0;
  }

  /** Whether another stream follows; anything else is padding, as bzip2(1) has it. */
  isAtStream(): boolean {
    return this.#bytes.toString("latin1", this.#position, this.#position + 3) === "BZh";
  }

  /** Gives up what is left of a byte. */
  align(): void {
    this.#count = 0;
    this.#held = 0;
  }

  /** Reads up to 24 bits. */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw new DamagedBzip2("it ends in the middle");
      this.#held = ((this.#held << 8) | byte) >>> 0;
      this.#count += 8;
    }
    this.#count -= count;
    const value = this.#held >>> this.#count;
    this.#held &= (1 << this.#count) - 1;
    return value;
  }

  readWord(): number {
    const high = this.read(16);
    return ((high << 16) | this.read(16)) >>> 0;
  }
}

/** A Huffman table in canonical order. */
interface Codes {
  readonly shortest: number;
  /** The largest code of each length, -1 where there is none; behind the longest one that no code exceeds. */
  readonly limits: Int32Array;
  /** What to take from a code of each length to get its place in `symbols`. */
  readonly offsets: Int32Array;
  readonly symbols: Uint16Array;
}

function decodeBlock(bits: BitReader, block: Uint32Array): Buffer {
  if (bits.read(1) === 1) throw new DamagedBzip2("a block is randomised, which no bzip2 since 1997 has made");
  const origin = bits.read(24);
  const used = readUsedBytes(bits);
  const tableCount = bits.read(3);
  const selectorCount = bits.read(15);
  if (used.length === 0 || tableCount < 2 || tableCount > 6 || selectorCount < 1) {
    throw new DamagedBzip2("a block has no bytes, or no tables");
  }
  const selectors = readSelectors(bits, tableCount, selectorCount);
  const tables = Array.from({ length: tableCount }, () => readCodes(bits, used.length + 2));
  const length = readSymbols(bits, block, used, selectors, tables);
  if (origin >= length) throw new DamagedBzip2("a block begins behind its end");
  return expandRuns(block, length, origin);
}

function readUsedBytes(bits: BitReader): Uint8Array {
  const groups = bits.read(16);
  const used: number[] = [];
  for (let group = 0; group < 16; group++) {
    if ((groups & (0x8000 >> group)) === 0) continue;
    const members = bits.read(16);
    for (let member = 0; member < 16; member++)
      if ((members & (0x8000 >> member)) !== 0) used.push(group * 16 + member);
  }
  return Uint8Array.from(used);
}

function readSelectors(bits: BitReader, tableCount: number, selectorCount: number): Uint8Array {
  const order = Array.from({ length: tableCount }, (_, index) => index);
  return Uint8Array.from({ length: selectorCount }, () => {
    let place = 0;
    while (bits.read(1) === 1) if (++place >= tableCount) throw new DamagedBzip2("a selector names no table");
    const [table = 0] = order.splice(place, 1);
    order.unshift(table);
    return table;
  });
}

function readCodes(bits: BitReader, symbolCount: number): Codes {
  const lengths = new Uint8Array(symbolCount);
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    for (;;) {
      if (length < 1 || length > LONGEST_CODE) throw new DamagedBzip2("a code has no length that it may have");
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  const limits = new Int32Array(LONGEST_CODE + 2).fill(-1);
  const offsets = new Int32Array(LONGEST_CODE + 2);
  const symbols = new Uint16Array(symbolCount);
  let [code, place] = [0, 0];
  let shortest = 0;
  let longest = 0;
  for (let current = 1; current <= LONGEST_CODE; current++) {
    const first = place;
    for (let symbol = 0; symbol < symbolCount; symbol++) if (lengths[symbol] === current) symbols[place++] = symbol;
    offsets[current] = code - first;
    code += place - first;
    if (place > first) {
      limits[current] = code - 1;
      shortest ||= current;
      longest = current;
    }
    code <<= 1;
  }
  limits.fill(-1, longest + 1);
  return { shortest, limits, offsets, symbols };
}

function readSymbol(bits: BitReader, { shortest, limits, offsets, symbols }: Codes): number {
  let code = bits.read(shortest);
  for (let length = shortest; length <= LONGEST_CODE; length++) {
    if (code <= (limits[length] ?? -1)) return symbols[code - (offsets[length] ?? 0)] ?? 0;
    code = (code << 1) | bits.read(1);
  }
  throw new DamagedBzip2("a code is in no table");
}

/** Undoes codes, runs of zeros and move to front; returns how many bytes the block has. */
function readSymbols(
  bits: BitReader,
  block: Uint32Array,
  used: Uint8Array,
  selectors: Uint8Array,
  tables: readonly Codes[],
): number {
  const order = Uint8Array.from(used);
  const end = used.length + 1;
  let length = 0;
  let [run, weight] = [0, 1];
  for (let place = 0; ; place++) {
    const table = tables[selectors[Math.floor(place / GROUP_SIZE)] ?? -1];
    if (table === undefined) throw new DamagedBzip2("a block has more symbols than it says");
    const symbol = readSymbol(bits, table);
    if (symbol <= 1) {
      run += weight << symbol;
      weight <<= 1;
      if (run > block.length) throw new DamagedBzip2("a run is longer than a block");
      continue;
    }
    if (length + run > block.length) throw new DamagedBzip2("a block is longer than it may be");
    block.fill(order[0] ?? 0, length, length + run);
    length += run;
    [run, weight] = [0, 1];
    if (symbol === end) return length;
    const front = order[symbol - 1] ?? 0;
    order.copyWithin(1, 0, symbol - 1);
    order[0] = front;
    if (length === block.length) throw new DamagedBzip2("a block is longer than it may be");
    block[length++] = front;
  }
}

/** Undoes the Burrows-Wheeler transform, and the runs that were there before it. */
function expandRuns(block: Uint32Array, length: number, origin: number): Buffer {
  // The low byte of each element is the byte, the rest becomes the place of the one after it.
  const starts = new Uint32Array(256);
  for (let at = 0; at < length; at++) {
    const byte = (block[at] ?? 0) & 0xff;
    starts[byte] = (starts[byte] ?? 0) + 1;
  }
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  for (let at = 0; at < length; at++) {
    const byte = (block[at] ?? 0) & 0xff;
    const place = starts[byte] ?? 0;
    starts[byte] = place + 1;
    block[place] = (block[place] ?? 0) | (at << 8);
  }
  let output = Buffer.allocUnsafeSlow(length + (length >> 2) + 256);
  let size = 0;
  let position = (block[origin] ?? 0) >>> 8;
  let [previous, repeated] = [-1, 0];
  for (let left = length; left > 0; left--) {
    const element = block[position] ?? 0;
    const byte = element & 0xff;
    position = element >>> 8;
    const added = repeated === 4 ? byte : 1;
    if (size + added > output.length) {
      const larger = Buffer.allocUnsafeSlow(2 * output.length + 256);
      output.copy(larger, 0, 0, size);
      output = larger;
    }
    if (repeated === 4) {
      output.fill(previous, size, size + added);
      size += added;
      repeated = 0;
      previous = -1;
      continue;
    }
    repeated = byte === previous ? repeated + 1 : 1;
    previous = byte;
    output[size++] = byte;
  }
  return output.subarray(0, size);
}

let table: Uint32Array | undefined;

/** The checksum of a block: CRC-32 with the most significant bit first. */
function checksum(bytes: Buffer): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
    return value >>> 0;
  });
  let value = 0xffffffff;
  for (const byte of bytes) value = (value << 8) ^ (table[((value >>> 24) ^ byte) & 0xff] ?? 0);
  return ~value >>> 0;
}
