/**
 * Bytes as Docker writes them, in powers of 1000: `117MB`, `1.45kB`, `0B`.
 * @param digits how many significant digits there are at most
 */
export function humanSize(bytes: number, digits = 3): string {
  return scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"], digits);
}

/** Bytes as Docker writes memory, in powers of 1024 and with four significant digits: `1.5GiB`, `117.7MiB`. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 4);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let size = bytes;
  let unit = 0;
  // A number that would round up to the base is the next unit's 1.
  while (Number(size.toPrecision(digits)) >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return `${Number(size.toPrecision(digits))}${units[unit]}`;
}
