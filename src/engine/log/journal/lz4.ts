/** Compressed data that is not what it says it is. */
export class DamagedLz4 extends Error {}

const SHORTEST_MATCH = 4;
const LONGEST_SHORT_LENGTH = 15;
const LENGTH_GOES_ON = 255;

/**
 * Decompresses one block of LZ4 (LZ4 block format description): sequences of literals, each with a match in what is
 * decompressed already, but for the last, which has literals alone.
 * @param size of what comes of it, in bytes
 * @throws DamagedLz4
 */
export function decompressLz4(block: Buffer, size: number): Buffer {
  const output = Buffer.allocUnsafe(size);
  let read = 0;
  let written = 0;
  const byte = () => {
    const value = block[read++];
    if (value === undefined) throw new DamagedLz4("it ends in the middle");
    return value;
  };
  const lengthFrom = (bits: number) => {
    let length = bits;
    if (bits === LONGEST_SHORT_LENGTH) {
      let more: number;
      do {
        more = byte();
        length += more;
      } while (more === LENGTH_GOES_ON);
    }
    return length;
  };
  for (;;) {
    const token = byte();
    const literals = lengthFrom(token >> 4);
    if (literals > block.length - read || literals > size - written) throw new DamagedLz4("a piece is too long");
    block.copy(output, written, read, read + literals);
    read += literals;
    written += literals;
    if (read === block.length) break;
    const distance = byte() + byte() * 256;
    const length = lengthFrom(token & 15) + SHORTEST_MATCH;
    if (distance === 0 || distance > written) throw new DamagedLz4("it repeats what is not there");
    if (length > size - written) throw new DamagedLz4("a piece is too long");
    // What is repeated may reach into what comes of it, so it is copied in pieces that are there, each twice as long as the
    // one before.
    const from = written - distance;
    for (const end = written + length; written < end; ) {
      const count = Math.min(end - written, written - from);
      output.copyWithin(written, from, from + count);
      written += count;
    }
  }
  if (written !== size) throw new DamagedLz4("it is shorter than it says");
  return output;
}
