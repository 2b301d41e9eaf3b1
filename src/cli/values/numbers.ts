import { InvalidValue } from "../invalid-value.ts";

const UNITS = "bkmgtp";

/**
 * Reads an amount of memory in Docker's notation: a number, fractions allowed, with a unit of 1024's powers in either
 * case: `64m`, `1.5g`, `512k`, `100b`, `64MiB`, `1048576`.
 * @returns bytes, rounded down
 * @throws InvalidValue
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)$/i.exec(text);
  if (match === null) throw new InvalidValue("expected bytes with an optional unit b, k, m or g, such as 64m");
  const power = UNITS.indexOf((match[2] ?? "b").toLowerCase());
  const bytes = Math.floor(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) throw new InvalidValue("that is too much");
  return bytes;
}

/**
 * Makes a parser for whole decimal numbers of a range.
 * @returns a function that throws InvalidValue for anything else
 */
export function integerBetween(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^-?\d+$/.test(text) || number < minimum || number > maximum) {
      throw new InvalidValue(`expected a whole number from ${minimum} to ${maximum}`);
    }
    return number;
  };
}
