import { DamagedXz } from "./damaged-xz.ts";

/** Bytes of a stream. */
export class ByteReader {
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
