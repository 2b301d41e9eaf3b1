import { DamagedXz } from "./damaged-xz.ts";

/** The checksum of a block, while its bytes come. */
export interface Checksum {
  update(bytes: Buffer): void;
  isRight(expected: Buffer): boolean;
}

/**
 * Begins a checksum.
 * @param check the kind, as the header of the stream has it
 * @throws DamagedXz for one that is not known
 */
export function startChecksum(check: number): Checksum {
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
