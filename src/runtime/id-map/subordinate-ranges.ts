import { BunkerError } from "../../sys/error.ts";
import { isDecimal } from "../../sys/is-decimal.ts";

/** Ids that the administrator lets a user have besides their own. */
export interface SubordinateRange {
  readonly first: number;
  /** At least 1. */
  readonly count: number;
  /** The line of the file, from 1. */
  readonly line: number;
}

/** Ids are 32 bits wide and the last one, 4294967295, means "no id". */
const END_OF_IDS = 0xffff_ffff;
const MOST_DIGITS = 10;

/**
 * Finds a user's ranges in /etc/subuid or /etc/subgid; subuid(5). Lines name their user by login name or by number, and
 * there may be several for one user; comments and empty lines are skipped. Faults in lines of other users do not
 * concern this one; a line that cannot be told to be somebody else's does.
 * @param fileText the file's content
 * @param path the file's path, for messages
 * @param userName the login name; undefined when the user database does not know the user
 * @param uid the user's id
 * @returns the ranges in the file's order, identical ones once
 * @throws BunkerError `invalid_subordinate_ids` with the line's number for a malformed line or overlapping ranges
 */
export function subordinateRanges(
  fileText: string,
  path: string,
  userName: string | undefined,
  uid: number,
): readonly SubordinateRange[] {
  const ranges: SubordinateRange[] = [];
  let line = 0;
  for (const raw of fileText.split("\n")) {
    line++;
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) continue;
    const [owner, first, count, ...rest] = content.split(":");
    if (first === undefined) throw malformed(path, line, content);
    if (owner !== userName && owner !== String(uid)) continue;
    const range = { first: parseId(first), count: parseId(count), line };
    const valid = rest.length === 0 && range.first + range.count <= END_OF_IDS;
    if (!valid) throw malformed(path, line, content);
    // Adduser and distribution tools leave entries of size 0 behind when they take ranges away.
    if (range.count === 0) continue;
    if (ranges.some((other) => other.first === range.first && other.count === range.count)) continue;
    const overlapped = ranges.find((other) => range.first < end(other) && other.first < end(range));
    if (overlapped !== undefined) {
      throw invalid(path, `lines ${overlapped.line} and ${line} overlap`, "Ranges of one user must not share ids.");
    }
    ranges.push(range);
  }
  return ranges;
}

/** The id after a range's last. */
export function end(range: SubordinateRange): number {
  return range.first + range.count;
}

/** NaN, which compares as invalid, for anything but a decimal number. */
function parseId(text: string | undefined): number {
  return text !== undefined && text.length <= MOST_DIGITS && isDecimal(text) ? Number(text) : Number.NaN;
}

function malformed(path: string, line: number, content: string): BunkerError {
  const shown = JSON.stringify(content.length > 60 ? `${content.slice(0, 60)}…` : content);
  return invalid(
    path,
    `line ${line} is malformed: ${shown}`,
    "A line reads USER:FIRST-ID:COUNT, such as alice:100000:65536.",
  );
}

function invalid(path: string, reason: string, hint: string): BunkerError {
  return new BunkerError({ code: "invalid_subordinate_ids", operation: "read", object: path, reason, hint });
}
