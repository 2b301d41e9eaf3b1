/** Bytes; a run of zeros is left out of a file when it fills a block at a multiple of this. */
const BLOCK_SIZE = 16384;

const zeros = Buffer.alloc(BLOCK_SIZE);

/**
 * Finds the parts of a piece of a file that have to be written, leaving out whole blocks of zeros: what is never
 * written to a new file reads as zeros and takes no space.
 * @param chunk,start,end the bytes
 * @param offset of the first byte in the file
 * @param write is given each part, in ascending order
 */
export function forEachDataPart(
  chunk: Buffer,
  start: number,
  end: number,
  offset: number,
  write: (start: number, end: number, offset: number) => void,
): void {
  let pending = start;
  for (let at = start; at < end; ) {
    const next = Math.min(end, at + BLOCK_SIZE - ((offset + at - start) % BLOCK_SIZE));
    if (isZero(chunk, at, next)) {
      if (pending < at) write(pending, at, offset + pending - start);
      pending = next;
    }
    at = next;
  }
  if (pending < end) write(pending, end, offset + pending - start);
}

function isZero(chunk: Buffer, start: number, end: number): boolean {
  // Almost every block with data shows it at one of its ends.
  return chunk[start] === 0 && chunk[end - 1] === 0 && chunk.compare(zeros, 0, end - start, start, end) === 0;
}
