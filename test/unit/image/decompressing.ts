/* What the tests of decompressors have in common. */

/**
 * Decompresses what comes in pieces.
 * @param decompress what is tested
 * @param pieceSize of all pieces but the last, in bytes
 */
export async function unpackedBy(
  decompress: (source: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array>,
  bytes: Buffer,
  pieceSize = 1 << 16,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const source = async function* () {
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  };
  for await (const piece of decompress(source())) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes that are no pattern, but the same each time. */
export function noise(length: number): Buffer {
  let state = 1;
  const next = () => {
    state = (state * 48271) % 0x7fffffff;
    return state & 0xff;
  };
  return Buffer.from(Array.from({ length }, next));
}
