import { InvalidValue } from "../invalid-value.ts";
import { parseDuration } from "./duration.ts";
import { parseBytes } from "./numbers.ts";

const LONGEST_DELAY = 60_000;
const BIT_UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

/**
 * Reads the value of `--net-rate`: `10mbit`, `500kbit`, or bytes: `1m`.
 * @returns bytes per second
 * @throws InvalidValue
 */
export function parseRate(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([kmg]?)bit$/i.exec(text) ?? [];
  const rate = number === undefined ? parseBytes(text) : (Number(number) * (BIT_UNITS[unit.toLowerCase()] ?? 1)) / 8;
  if (rate < 1) throw new InvalidValue("that is nothing at all; to have no network, --network none");
  return rate;
}

/**
 * Reads the value of `--net-delay`.
 * @returns milliseconds
 * @throws InvalidValue
 */
export function parseDelay(text: string): number {
  const delay = parseDuration(text);
  if (delay > LONGEST_DELAY) throw new InvalidValue("a minute is the most");
  return delay;
}

/**
 * Reads the value of `--net-loss`: a percentage, with or without its sign.
 * @returns from 0 to 1
 * @throws InvalidValue
 */
export function parseLoss(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1] ?? Number.NaN);
  if (!(percent <= 100)) throw new InvalidValue("expected a percentage from 0 to 100, such as 1.5%");
  return percent / 100;
}
