import { InvalidValue } from "../invalid-value.ts";

const DURATION_PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/**
 * Reads a point in time as Docker's `--since` and `--until` do: a duration before now (`10m`, `1h30m`), seconds since
 * 1970 (`1136073600.25`), or a date with or without a time and a zone (`2026-01-02`, `2026-01-02T15:04:05Z`), which is
 * local time without a zone.
 * @param now milliseconds since 1970
 * @returns milliseconds since 1970
 * @throws InvalidValue
 */
export function parsePointInTime(text: string, now: number): number {
  const duration = parseDuration(text);
  if (duration !== undefined) return now - duration;
  if (/^\d+(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  const match = DATE.exec(text);
  if (match === null) {
    throw new InvalidValue(
      "expected a duration such as 1h30m, a date such as 2026-01-02T15:04:05Z, or seconds since 1970",
    );
  }
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "0", zone = ""] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3)}${zone}`);
  if (Number.isNaN(time) || !isDay(`${year}-${month}-${day}`)) throw new InvalidValue("there is no such date");
  return time;
}

/** A duration in Go's notation, in milliseconds; undefined for what is none. */
function parseDuration(text: string): number | undefined {
  const isNegative = text.startsWith("-");
  let position = isNegative || text.startsWith("+") ? 1 : 0;
  if (position === text.length) return undefined;
  let sum = 0;
  while (position < text.length) {
    DURATION_PART.lastIndex = position;
    const part = DURATION_PART.exec(text);
    if (part === null) return undefined;
    sum += Number(part[1]) * (MILLISECONDS[part[2] ?? ""] ?? 0);
    position += part[0].length;
  }
  return isNegative ? -sum : sum;
}

/** JavaScript takes the 31st of February for a day in March. */
function isDay(text: string): boolean {
  const midnight = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text);
}
