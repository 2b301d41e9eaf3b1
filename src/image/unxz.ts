/*
 * Decompression of xz, which neither Bun nor the kernel's interface has. For archives that people still keep in this form;
 * layers are never compressed so. The .xz file format 1.2.1, and LZMA2.
 *
 * A file is streams, each with a header, blocks, an index of them, and a footer; between them may be zeros. A block's data
 * is LZMA2: chunks of at most 2 MiB, which say how long they are, plain or compressed, and checksum of all of it. So a chunk
 * is gathered before it is decoded, and decoding need not stop in between; nothing larger than the dictionary is held.
 *
 * A chunk is decoded by a range coder over bits whose probabilities are learned. Bits are put together to literals, lengths
 * and distances; which probabilities count depends on what came before, the state. Matches are copied out of the dictionary,
 * the last bytes of the output: a window that grows to its end, and whose last bytes are moved to its beginning then.
 *
 * Other filters than LZMA2 (for machine code, and delta) are rare, and refused.
 */

/** That the bytes are not what the format says, or ask for what is not done. */
export class DamagedXz extends Error {
  readonly code = "XZ_DAMAGED";
}

/** As much as `xz -9` asks for twice over; a larger dictionary is an attack on memory. */
const LARGEST_DICTIONARY = 128 << 20;
/** Bytes that a chunk becomes, at most. */
const LARGEST_CHUNK = 2 << 20;
const LZMA2 = 0x21;
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * Decompresses xz.
 * @throws DamagedXz, and what the source throws
 */
export async function* unxz(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const input = new ByteReader(source);
  let isFirst = true;
  while (await skipPadding(input, isFirst)) {
    isFirst = false;
    yield* decodeStream(input);
  }
}

/** Bytes of a stream. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;
  /** How many have been read. */
  count = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next bytes without taking them; fewer at the end. */
  async peek(length: number): Promise<Buffer> {
    const pieces = [this.#bytes.subarray(this.#position)];
    let available = pieces[0]?.length ?? 0;
    if (available < length) {
      while (available < length) {
        const { done, value } = await this.#source.next();
        if (done) break;
        pieces.push(value);
        available += value.length;
      }
      this.#bytes = Buffer.concat(pieces, available);
      this.#position = 0;
    }
    return this.#bytes.subarray(this.#position, this.#position + length);
  }

  /** Takes bytes; good until the next call. */
  async take(length: number): Promise<Buffer> {
    const bytes = await this.peek(length);
    if (bytes.length < length) throw new DamagedXz("it ends in the middle");
    this.#position += length;
    this.count += length;
    return bytes;
  }

  async byte(): Promise<number> {
    return (await this.take(1))[0] ?? 0;
  }

  /** A number of seven bits in each byte, the lowest first. */
  async number(): Promise<number> {
    let value = 0;
    for (let place = 0; place < 7; place++) {
      const byte = await this.byte();
      value += (byte & 0x7f) * 2 ** (7 * place);
      if ((byte & 0x80) === 0) return value;
    }
    throw new DamagedXz("a number is larger than any may be");
  }
}

/** Goes to the next stream; false at the end. */
async function skipPadding(input: ByteReader, isFirst: boolean): Promise<boolean> {
  for (;;) {
    const next = await input.peek(4);
    if (next.length === 0 && !isFirst) return false;
    if (isFirst || next.length < 4 || next.readUInt32LE(0) !== 0) return true;
    await input.take(4);
  }
}

/** What the index has to say of a block. */
interface BlockRecord {
  readonly unpadded: number;
  readonly uncompressed: number;
}

async function* decodeStream(input: ByteReader): AsyncGenerator<Buffer, void, undefined> {
  const header = Buffer.from(await input.take(12));
  if (header.toString("latin1", 0, 6) !== "\xfd7zXZ\0") throw new DamagedXz("no header of a stream");
  const check = header[7] ?? 0;
  if (header[6] !== 0 || check > 15) throw new DamagedXz("the stream has flags that are not known");
  if (Bun.hash.crc32(header.subarray(6, 8)) !== header.readUInt32LE(8)) throw new DamagedXz("the header is damaged");
  const records: BlockRecord[] = [];
  for (;;) {
    const [size = 0] = await input.peek(1);
    if (size === 0) break;
    records.push(yield* decodeBlock(input, check));
  }
  const indexSize = await checkIndex(input, records);
  const footer = await input.take(12);
  const isWhole =
    footer.toString("latin1", 10) === "YZ" &&
    Bun.hash.crc32(footer.subarray(4, 10)) === footer.readUInt32LE(0) &&
    (footer.readUInt32LE(4) + 1) * 4 === indexSize &&
    footer.readUInt16BE(8) === check;
  if (!isWhole) throw new DamagedXz("the end of the stream is damaged");
}

async function checkIndex(input: ByteReader, records: readonly BlockRecord[]): Promise<number> {
  const start = input.count;
  await input.byte();
  let isSame = (await input.number()) === records.length;
  for (const { unpadded, uncompressed } of isSame ? records : []) {
    isSame &&= (await input.number()) === unpadded && (await input.number()) === uncompressed;
  }
  if (!isSame) throw new DamagedXz("the index does not belong to the blocks");
  await input.take((4 - ((input.count - start) % 4)) % 4);
  await input.take(4);
  return input.count - start;
}

async function* decodeBlock(input: ByteReader, check: number): AsyncGenerator<Buffer, BlockRecord, undefined> {
  const start = input.count;
  const dictionarySize = await readBlockHeader(input);
  const checksum = startChecksum(check);
  const decoder = new Lzma2Decoder(dictionarySize);
  let uncompressed = 0;
  for (;;) {
    const output = await decoder.nextChunk(input);
    if (output === undefined) break;
    uncompressed += output.length;
    checksum.update(output);
    yield output;
  }
  const dataEnd = input.count;
  const padding = await input.take((4 - ((dataEnd - start) % 4)) % 4);
  if (padding.some((byte) => byte !== 0)) throw new DamagedXz("there are bytes between a block and its checksum");
  const size = CHECK_SIZES[check] ?? 0;
  if (!checksum.isRight(await input.take(size))) throw new DamagedXz("a block has another checksum than it says");
  return { unpadded: dataEnd - start + size, uncompressed };
}

/** Returns the size of the dictionary. */
async function readBlockHeader(input: ByteReader): Promise<number> {
  const [first = 0] = await input.peek(1);
  const size = (first + 1) * 4;
  const header = Buffer.from(await input.take(size));
  if (Bun.hash.crc32(header.subarray(0, size - 4)) !== header.readUInt32LE(size - 4)) {
    throw new DamagedXz("the header of a block is damaged");
  }
  const flags = header[1] ?? 0;
  const fields = new ByteReader(one(header.subarray(2, size - 4)));
  if ((flags & 0x40) !== 0) await fields.number();
  if ((flags & 0x80) !== 0) await fields.number();
  if ((flags & 0x3f) !== 0) throw new DamagedXz("a block uses filters other than LZMA2");
  const [filter, propertySize] = [await fields.number(), await fields.number()];
  const bits = await fields.byte();
  if (filter !== LZMA2 || propertySize !== 1 || bits > 40) throw new DamagedXz("a block uses filters other than LZMA2");
  const dictionarySize = bits === 40 ? 0xffffffff : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (dictionarySize > LARGEST_DICTIONARY) throw new DamagedXz("it asks for a dictionary of more than 128 MiB");
  return dictionarySize;
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}

interface Checksum {
  update(bytes: Buffer): void;
  isRight(expected: Buffer): boolean;
}

function startChecksum(check: number): Checksum {
  if (check === 1) {
    let value = 0;
    return {
      update: (bytes) => {
        value = Bun.hash.crc32(bytes, value);
      },
      isRight: (expected) => expected.readUInt32LE(0) === value,
    };
  }
  if (check === 4) return new Crc64();
  if (check === 10) {
    const hasher = new Bun.CryptoHasher("sha256");
    return { update: (bytes) => void hasher.update(bytes), isRight: (expected) => hasher.digest().equals(expected) };
  }
  if (check === 0) return { update: () => undefined, isRight: () => true };
  throw new DamagedXz("its checksums are of a kind that is not known");
}

let crc64Tables: { readonly low: Uint32Array; readonly high: Uint32Array } | undefined;

/** CRC-64 of ECMA-182, in two halves: numbers have no 64 bits. */
class Crc64 implements Checksum {
  #low = 0xffffffff;
  #high = 0xffffffff;

  update(bytes: Buffer): void {
    crc64Tables ??= makeCrc64Tables();
    const { low: lowTable, high: highTable } = crc64Tables;
    let [low, high] = [this.#low, this.#high];
    for (let at = 0; at < bytes.length; at++) {
      const place = (low ^ (bytes[at] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (lowTable[place] ?? 0);
      high = (high >>> 8) ^ (highTable[place] ?? 0);
    }
    this.#low = low;
    this.#high = high;
  }

  isRight(expected: Buffer): boolean {
    return expected.readUInt32LE(0) === ~this.#low >>> 0 && expected.readUInt32LE(4) === ~this.#high >>> 0;
  }
}

function makeCrc64Tables() {
  const [low, high] = [new Uint32Array(256), new Uint32Array(256)];
  for (let byte = 0; byte < 256; byte++) {
    let [lowPart, highPart] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (lowPart & 1) !== 0;
      lowPart = (lowPart >>> 1) | (highPart << 31);
      highPart >>>= 1;
      if (!isOdd) continue;
      lowPart ^= 0xd7870f42;
      highPart ^= 0xc96c5795;
    }
    low[byte] = lowPart;
    high[byte] = highPart;
  }
  return { low, high };
}

const STATES = 12;
const MOST_POSITION_STATES = 16;
const FIRST_MATCH_STATE = 7;
const DISTANCE_SLOTS = 64;
const FIRST_LONG_SLOT = 14;
const ALIGN_BITS = 4;
const LITERAL_SIZE = 0x300;
const SHORTEST_MATCH = 2;
/** Half of what probabilities are counted in. */
const EVEN = 1024;

/** Lengths of matches: short, middle and long ones are coded apart. */
class LengthCoder {
  /** [0] whether it is not short, [1] whether it is long. */
  readonly choice = new Uint16Array(2);
  readonly short = new Uint16Array(MOST_POSITION_STATES << 3);
  readonly middle = new Uint16Array(MOST_POSITION_STATES << 3);
  readonly long = new Uint16Array(256);

  reset(): void {
    for (const each of [this.choice, this.short, this.middle, this.long]) each.fill(EVEN);
  }
}

/** LZMA2 of one block. */
class Lzma2Decoder {
  readonly #dictionarySize: number;
  /** The last bytes of the output, in order. */
  readonly #window: Buffer;
  /** Where the next byte goes. */
  #position = 0;
  /** Where the dictionary begins: nothing before it may be referred to. */
  #origin = 0;

  // The range coder.
  #input: Buffer = Buffer.alloc(0);
  #inputPosition = 0;
  #range = 0;
  #code = 0;

  // What is learned.
  readonly #isMatch = new Uint16Array(STATES << 4);
  readonly #isRepeat = new Uint16Array(STATES);
  readonly #isRepeat0 = new Uint16Array(STATES);
  readonly #isRepeat1 = new Uint16Array(STATES);
  readonly #isRepeat2 = new Uint16Array(STATES);
  readonly #isRepeat0Long = new Uint16Array(STATES << 4);
  readonly #distanceSlots = new Uint16Array(4 * DISTANCE_SLOTS);
  readonly #distanceBits = new Uint16Array(128);
  readonly #distanceAlign = new Uint16Array(1 << ALIGN_BITS);
  readonly #matchLength = new LengthCoder();
  readonly #repeatLength = new LengthCoder();
  #literals = new Uint16Array(0);

  #state = 0;
  #repeats: [number, number, number, number] = [0, 0, 0, 0];
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  /** Bytes since the dictionary was begun: the place in it decides which probabilities count. */
  #total = 0;
  /** What the next chunk has to begin anew. */
  #needs: "dictionary" | "properties" | "nothing" = "dictionary";

  constructor(dictionarySize: number) {
    this.#dictionarySize = dictionarySize;
    this.#window = Buffer.alloc(dictionarySize + Math.max(dictionarySize / 2, 2 * LARGEST_CHUNK));
  }

  /** Decodes a chunk; undefined at the end. */
  async nextChunk(input: ByteReader): Promise<Buffer | undefined> {
    const control = await input.byte();
    if (control === 0) return undefined;
    if (control === 1 || control >= 0xe0) {
      this.#origin = this.#position;
      this.#total = 0;
      this.#needs = "properties";
    } else if (this.#needs === "dictionary") throw new DamagedXz("it begins in the middle of a dictionary");
    if (control < 0x80) return this.#plainChunk(input, control);
    const size = ((control & 0x1f) << 16) + (await input.take(2)).readUInt16BE(0) + 1;
    const packedSize = (await input.take(2)).readUInt16BE(0) + 1;
    if (control >= 0xc0) {
      this.#setProperties(await input.byte());
      this.#resetState();
    } else if (this.#needs === "properties") throw new DamagedXz("a chunk does not say how it is coded");
    else if (control >= 0xa0) this.#resetState();
    this.#needs = "nothing";
    this.#input = await input.take(packedSize);
    return this.#decodeChunk(size);
  }

  async #plainChunk(input: ByteReader, control: number): Promise<Buffer> {
    if (control > 2) throw new DamagedXz("a chunk is of no kind that is known");
    const size = (await input.take(2)).readUInt16BE(0) + 1;
    const output = Buffer.from(await input.take(size));
    this.#makeRoom(size);
    output.copy(this.#window, this.#position);
    this.#position += size;
    this.#total += size;
    return output;
  }

  #setProperties(byte: number): void {
    const contextBits = byte % 9;
    const positionBits = Math.floor(byte / 9) % 5;
    const stateBits = Math.floor(byte / 45);
    if (stateBits > 4 || contextBits + positionBits > 4)
      throw new DamagedXz("a chunk has properties that none may have");
    this.#literalContextBits = contextBits;
    this.#literalPositionMask = (1 << positionBits) - 1;
    this.#positionMask = (1 << stateBits) - 1;
    const size = LITERAL_SIZE << (contextBits + positionBits);
    if (this.#literals.length !== size) this.#literals = new Uint16Array(size);
  }

  #resetState(): void {
    this.#state = 0;
    this.#repeats = [0, 0, 0, 0];
    for (const each of [
      ...[this.#isMatch, this.#isRepeat, this.#isRepeat0, this.#isRepeat1, this.#isRepeat2, this.#isRepeat0Long],
      ...[this.#distanceSlots, this.#distanceBits, this.#distanceAlign, this.#literals],
    ]) {
      each.fill(EVEN);
    }
    this.#matchLength.reset();
    this.#repeatLength.reset();
  }

  /** Moves the dictionary to the beginning of the window, where too little is left behind it. */
  #makeRoom(size: number): void {
    if (this.#position + size <= this.#window.length) return;
    const kept = Math.min(this.#position - this.#origin, this.#dictionarySize);
    this.#window.copyWithin(0, this.#position - kept, this.#position);
    this.#position = kept;
    this.#origin = 0;
  }

  #decodeChunk(size: number): Buffer {
    const [first = 0] = this.#input;
    if (this.#input.length < 5 || first !== 0) throw new DamagedXz("a chunk does not begin as chunks do");
    this.#code = this.#input.readUInt32BE(1);
    this.#range = 0xffffffff;
    this.#inputPosition = 5;
    this.#makeRoom(size);
    const window = this.#window;
    const start = this.#position;
    const end = start + size;
    while (this.#position < end) {
      const positionState = this.#total & this.#positionMask;
      if (this.#bit(this.#isMatch, (this.#state << 4) + positionState) === 0) {
        window[this.#position] = this.#literal();
        this.#position++;
        this.#total++;
        continue;
      }
      const length = this.#match(positionState);
      const from = this.#position - this.#repeats[0] - 1;
      if (from < this.#origin || this.#repeats[0] >= this.#dictionarySize) {
        throw new DamagedXz("a match is before the beginning");
      }
      if (this.#position + length > end) throw new DamagedXz("a match is longer than its chunk");
      // Byte by byte: a match may overlap with what it makes.
      for (let place = 0, to = this.#position; place < length; place++) window[to + place] = window[from + place] ?? 0;
      this.#position += length;
      this.#total += length;
    }
    this.#normalise();
    if (this.#code !== 0 || this.#inputPosition !== this.#input.length) {
      throw new DamagedXz("a chunk has another length than it says");
    }
    return Buffer.from(window.subarray(start, end));
  }

  #literal(): number {
    const previous = this.#position === this.#origin ? 0 : (this.#window[this.#position - 1] ?? 0);
    const place =
      ((this.#total & this.#literalPositionMask) << this.#literalContextBits) +
      (previous >> (8 - this.#literalContextBits));
    const base = LITERAL_SIZE * place;
    let symbol = 1;
    if (this.#state >= FIRST_MATCH_STATE) {
      // After a match the byte that would have continued it tells what is not likely.
      let expected = this.#window[this.#position - this.#repeats[0] - 1] ?? 0;
      do {
        const expectedBit = (expected >> 7) & 1;
        expected <<= 1;
        const bit = this.#bit(this.#literals, base + ((1 + expectedBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expectedBit) break;
      } while (symbol < 0x100);
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, base + symbol);
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
    return symbol & 0xff;
  }

  /** Reads a match; its distance is the first of the repeats then. Returns its length. */
  #match(positionState: number): number {
    const state = this.#state;
    const [zero, one, two, three] = this.#repeats;
    if (this.#bit(this.#isRepeat, state) === 0) {
      const length = this.#length(this.#matchLength, positionState);
      this.#state = state < FIRST_MATCH_STATE ? 7 : 10;
      this.#repeats = [this.#distance(length), zero, one, two];
      return length;
    }
    if (this.#bit(this.#isRepeat0, state) === 0) {
      if (this.#bit(this.#isRepeat0Long, (state << 4) + positionState) === 0) {
        this.#state = state < FIRST_MATCH_STATE ? 9 : 11;
        return 1;
      }
    } else if (this.#bit(this.#isRepeat1, state) === 0) {
      this.#repeats = [one, zero, two, three];
    } else if (this.#bit(this.#isRepeat2, state) === 0) {
      this.#repeats = [two, zero, one, three];
    } else {
      this.#repeats = [three, zero, one, two];
    }
    const length = this.#length(this.#repeatLength, positionState);
    this.#state = state < FIRST_MATCH_STATE ? 8 : 11;
    return length;
  }

  #length({ choice, short, middle, long }: LengthCoder, positionState: number): number {
    if (this.#bit(choice, 0) === 0) return SHORTEST_MATCH + this.#tree(short, positionState << 3, 3);
    if (this.#bit(choice, 1) === 0) return SHORTEST_MATCH + 8 + this.#tree(middle, positionState << 3, 3);
    return SHORTEST_MATCH + 16 + this.#tree(long, 0, 8);
  }

  #distance(length: number): number {
    const lengthState = Math.min(length - SHORTEST_MATCH, 3);
    const slot = this.#tree(this.#distanceSlots, lengthState * DISTANCE_SLOTS, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const high = (2 | (slot & 1)) * 2 ** bits;
    if (slot < FIRST_LONG_SLOT) return high + this.#reverseTree(this.#distanceBits, high - slot, bits);
    const direct = this.#directBits(bits - ALIGN_BITS);
    return high + direct * 2 ** ALIGN_BITS + this.#reverseTree(this.#distanceAlign, 0, ALIGN_BITS);
  }

  #normalise(): void {
    if (this.#range >= 0x1000000) return;
    const byte = this.#input[this.#inputPosition++];
    if (byte === undefined) throw new DamagedXz("a chunk is shorter than it says");
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | byte) >>> 0;
  }

  #bit(probabilities: Uint16Array, place: number): number {
    this.#normalise();
    const probability = probabilities[place] ?? 0;
    const bound = (this.#range >>> 11) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      probabilities[place] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    probabilities[place] = probability - (probability >> 5);
    return 1;
  }

  #tree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let count = 0; count < bits; count++) symbol = (symbol << 1) | this.#bit(probabilities, base + symbol);
    return symbol - (1 << bits);
  }

  /** The same with the lowest bit first. */
  #reverseTree(probabilities: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let count = 0; count < bits; count++) {
      const bit = this.#bit(probabilities, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << count;
    }
    return value;
  }

  /** Bits that are as likely as not. */
  #directBits(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left--) {
      this.#normalise();
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      value = value * 2 + bit;
    }
    return value;
  }
}
