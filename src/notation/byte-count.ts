const UNITS = "bkmgtp";

/**
 * Reads an amount of memory in Docker's notation: a number, fractions allowed, with a unit of 1024's powers in either
 * case: `64m`, `1.5g`, `512k`, `100b`, `64MiB`, `1048576`.
 * @returns bytes, rounded down; infinite for more than can be counted exactly; undefined for what is no amount
 */
export function parseByteCount(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)$/i.exec(text);
  if (match === null) return undefined;
  const power = UNITS.indexOf((match[2] ?? "b").toLowerCase());
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : Number.POSITIVE_INFINITY;
}
