const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/**
 * Bytes as Docker writes them, in powers of 1000: `117MB`, `1.45kB`, `0B`.
 * @param digits how many significant digits there are at most
 */
export function humanSize(bytes: number, digits = 3): string {
  let size = bytes;
  let unit = 0;
  // A number that would round up to 1000 is the next unit's 1.
  while (Number(size.toPrecision(digits)) >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(digits))}${UNITS[unit]}`;
}
