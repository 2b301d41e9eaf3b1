/*
 * The Internet checksum, RFC 1071.
 *
 * Payload is hardly ever summed here: what goes to the container is left to the kernel (virtio-net header, see
 * link.ts), and what comes from it was never on a wire. These functions serve headers, and packets that a program in
 * the container has put together itself.
 */

/**
 * Adds up 16-bit words.
 * @param end one past the last byte; an odd last byte is taken as if a zero followed
 * @param sum to start with
 * @returns a sum to be folded, below 2^53 for any packet
 */
function sumWords(view: DataView, start: number, end: number, sum = 0): number {
  let offset = start;
  for (; offset + 1 < end; offset += 2) sum += view.getUint16(offset);
  return offset < end ? sum + (view.getUint8(offset) << 8) : sum;
}

/** A sum in 16 bits, by adding the carries; RFC 1071 section 2. */
export function foldSum(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** The checksum over bytes: of a header whose own field is zero, or 0 over one that is right. */
export function checksum(view: DataView, start: number, end: number, sum = 0): number {
  return ~foldSum(sumWords(view, start, end, sum)) & 0xffff;
}
