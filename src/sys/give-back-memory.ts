/**
 * Gives the memory of bytes back at once. The garbage collector comes by when many more have been made, each in memory that
 * is touched for the first time.
 * @param bytes which nobody reads any more; they are empty then, unless they are a part of a larger buffer
 */
export function giveBackMemory({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
