/*
 * LZMA2: chunks of at most 2 MiB, which say how long they are, plain or compressed. So a chunk is gathered before it is
 * decoded, and decoding need not stop in between; nothing larger than the dictionary is held.
 *
 * A chunk is decoded by a range coder over bits whose probabilities are learned. Bits are put together to literals, lengths
 * and distances; which probabilities count depends on what came before, the state. Matches are copied out of the dictionary,
 * the last bytes of the output: a window that grows to its end, and whose last bytes are moved to its beginning then.
 */
import type { ByteReader } from "./byte-reader.ts";
import { DamagedXz } from "./damaged-xz.ts";

/** Bytes that a chunk becomes, at most. */
const LARGEST_CHUNK = 2 << 20;
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
export class Lzma2Decoder {
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
