/*
 * A crontab as text, with a line of Bunker's among its user's own, which stay as they are, byte for byte. Bunker's is
 * below a comment of its own, by which it is found again when it names another executable. A line that is the very one
 * that would be written counts without the comment: somebody has typed it.
 */
import type { ByteString } from "../../sys/byte-string.ts";

const MARK =
  `# Made by "bunker autostart enable"; "bunker autostart disable" removes it and the line below.` as ByteString;
/** What the line below the mark has to be, so that nothing else goes with a mark that lost its line. */
const MARKED = /^@reboot .*autostart run$/;

/** The lines of Bunker's in a crontab, without their marks. */
export function ownLines(crontab: ByteString, line: ByteString): readonly ByteString[] {
  return linesOf(crontab).filter((text, index, lines) => isOwn(text, lines[index - 1], line));
}

/** A crontab in which Bunker has one line, at the place of those that it had, or at the end. */
export function withOwnLine(crontab: ByteString, line: ByteString): ByteString {
  const lines = linesOf(crontab);
  const first = lines.findIndex((text, index) => text === MARK || isOwn(text, lines[index - 1], line));
  const place = first < 0 ? lines.length : first;
  return textOf([...lines.slice(0, place), MARK, line, ...others(lines.slice(place), line)]);
}

/** A crontab without Bunker's lines. */
export function withoutOwnLines(crontab: ByteString, line: ByteString): ByteString {
  return textOf(others(linesOf(crontab), line));
}

function others(lines: readonly ByteString[], line: ByteString): readonly ByteString[] {
  return lines.filter((text, index) => text !== MARK && !isOwn(text, lines[index - 1], line));
}

function isOwn(text: string, above: string | undefined, line: ByteString): boolean {
  return text === line || (above === MARK && MARKED.test(text));
}

/** The last line may lack its newline, which crontab(1) does not take back so. */
function linesOf(crontab: ByteString): readonly ByteString[] {
  const lines = crontab.split("\n") as ByteString[];
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function textOf(lines: readonly string[]): ByteString {
  return lines.map((text) => `${text}\n`).join("") as ByteString;
}
