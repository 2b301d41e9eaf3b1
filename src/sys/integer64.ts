/*
 * 64-bit integers of kernel structures as plain numbers, which hold them exactly up to 2^53 in either direction. A
 * negative number is written in two's complement, so -1 also stands for "all bits set" in unsigned fields.
 */

const TWO_TO_THE_32 = 2 ** 32;

/** Writes `value`, an integer, as 8 little-endian bytes at `offset`. */
export function setInteger64(view: DataView, offset: number, value: number): void {
  // Not by Math, whose functions are all made when the first of them is mentioned, which takes 0.1 ms.
  const low = value >>> 0;
  view.setUint32(offset, low, true);
  view.setUint32(offset + 4, (value - low) / TWO_TO_THE_32, true);
}

/**
 * Writes `value` into two words of an array, little-endian as both architectures are. It takes a tenth of the time that a
 * DataView takes before the compiler knows the code.
 */
export function putInteger64(words: Int32Array, word: number, value: number): void {
  // An array takes the lower 32 bits.
  words[word] = value;
  words[word + 1] = (value - (value >>> 0)) / TWO_TO_THE_32;
}

/** Reads 8 little-endian bytes at `offset` as a signed integer; beyond 2^53 the lowest bits are lost. */
export function getInteger64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * TWO_TO_THE_32 + view.getUint32(offset, true);
}
