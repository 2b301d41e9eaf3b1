import { parseByteCount } from "../../notation/byte-count.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads an amount of memory; see `parseByteCount`.
 * @returns bytes, rounded down
 * @throws InvalidValue
 */
export function parseBytes(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes === undefined) throw new InvalidValue("expected bytes with an optional unit b, k, m or g, such as 64m");
  if (bytes === Number.POSITIVE_INFINITY) throw new InvalidValue("that is too much");
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
