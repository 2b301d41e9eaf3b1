import { InvalidValue } from "../invalid-value.ts";
import { parseDuration } from "./duration.ts";

/**
 * Reads a point in time as Docker does: a duration before now (`10m`), seconds since 1970 with a fraction, or a date of
 * RFC 3339 of which everything behind the day may be missing (`2026-01-31`, `2026-01-31T12:00:00Z`); without a zone it is
 * the local one.
 * @returns milliseconds since 1970
 * @throws InvalidValue
 */
export function parseTimestamp(text: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const isDay = /^\d{4}-\d\d-\d\dZ?$/.test(text);
    // ECMAScript takes a day alone for a time in UTC.
    const time = Date.parse(
      isDay && !text.endsWith("Z") ? `${text}T00:00:00` : text.replace(/^(.{10})Z$/, "$1T00:00Z"),
    );
    if (!Number.isNaN(time)) return time;
    throw new InvalidValue("expected a date such as 2026-01-31T12:00:00Z");
  }
  try {
    return Date.now() - parseDuration(text);
  } catch {
    throw new InvalidValue("expected a date, seconds since 1970, or a duration before now such as 10m");
  }
}
