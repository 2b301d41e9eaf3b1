import { parseGoDuration } from "../../notation/go-duration.ts";
import { InvalidValue } from "../invalid-value.ts";

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/** The farthest that a Date reaches from 1970, in nanoseconds. */
const FARTHEST = 8_640_000_000_000_000_000_000n;

/**
 * Reads a point in time as Docker's `--since` and `--until` do: a duration before now (`10m`, `1h30m`), seconds since
 * 1970 (`1136073600.25`), or a date with or without a time and a zone (`2026-01-02`, `2026-01-02T15:04:05Z`), which is
 * local time without a zone.
 * @param now milliseconds since 1970
 * @returns milliseconds since 1970, with a fraction of them
 * @throws InvalidValue
 */
export function parsePointInTime(text: string, now: number): number {
  return Number(parseNanoseconds(text, now) / 1000n) / 1000;
}

/**
 * The same as nanoseconds since 1970, for what is told to the nanosecond.
 * @param now milliseconds since 1970
 * @throws InvalidValue
 */
export function parseNanoseconds(text: string, now: number): bigint {
  const time = readNanoseconds(text, now);
  if (time > FARTHEST || time < -FARTHEST) throw noSuchDate();
  return time;
}

function readNanoseconds(text: string, now: number): bigint {
  const duration = text === "0" ? undefined : parseGoDuration(text);
  if (duration === Number.POSITIVE_INFINITY || duration === Number.NEGATIVE_INFINITY) throw noSuchDate();
  if (duration !== undefined) return inNanoseconds(now) - BigInt(duration);
  const [, seconds, part = ""] = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds !== undefined) return BigInt(seconds + part.padEnd(9, "0"));
  const match = DATE.exec(text);
  if (match === null) {
    throw new InvalidValue(
      "expected a duration such as 1h30m, a date such as 2026-01-02T15:04:05Z, or seconds since 1970",
    );
  }
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "0", zone = ""] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(time) || !isDay(`${year}-${month}-${day}`)) throw noSuchDate();
  return inNanoseconds(time) + BigInt(fraction.padEnd(9, "0"));
}

function noSuchDate(): InvalidValue {
  return new InvalidValue("there is no such date");
}

function inNanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds)) * 1_000_000n;
}

/** JavaScript takes the 31st of February for a day in March. */
function isDay(text: string): boolean {
  const midnight = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text);
}
