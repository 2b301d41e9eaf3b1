import type { ByteString } from "../../sys/byte-string.ts";
import type { Timestamp } from "../../sys/stat.ts";
import { archiveError } from "./tar-error.ts";

/** Keyword and value, in the order of the header: the maps of sparse files in format 0.0 repeat keywords. */
export type PaxRecord = readonly [keyword: ByteString, value: ByteString];

/**
 * Takes a pax extended header apart: records of the form "LENGTH KEYWORD=VALUE\n"; pax(1).
 * @throws BunkerError `archive_invalid`
 */
export function parsePaxRecords(data: ByteString): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < data.length; ) {
    // Some writers pad the header with NULs.
    if (data[at] === "\0") break;
    const space = data.indexOf(" ", at);
    const digits = space < 0 || space - at > 10 ? "" : data.slice(at, space);
    const end = at + Number(digits);
    const equals = data.indexOf("=", space);
    if (!/^[0-9]+$/.test(digits) || end > data.length || data[end - 1] !== "\n" || equals < 0 || equals >= end) {
      throw archiveError("a pax header is malformed");
    }
    records.push([data.slice(space + 1, equals) as ByteString, data.slice(equals + 1, end - 1) as ByteString]);
    at = end;
  }
  return records;
}

/** A decimal number of a pax record. */
function parsePaxNumber(text: string): number {
  const value = /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw archiveError("a pax header has a number that is no number");
  return value;
}

/** A decimal number that cannot be negative. */
export function parsePaxUnsigned(text: string): number {
  const value = parsePaxNumber(text);
  if (value < 0) throw archiveError("a pax header has a negative number where none may be");
  return value;
}

/** A time of a pax record: seconds with any number of decimals. */
export function parsePaxTime(text: string): Timestamp {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw archiveError("a pax header has a time that is no time");
  const [, sign, whole = "", fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign !== "-") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
