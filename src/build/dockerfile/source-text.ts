/*
 * Where something stands in a text of the Dockerfile language, and the text of an error about it. Every instruction
 * carries its location with the whole text, so that what fails long after reading (a RUN, a COPY) can still be shown with
 * its lines.
 */

/** A text in the language: a Dockerfile, or the triggers of a base image. */
export interface SourceText {
  /** How people know it: `Dockerfile`, `ONBUILD of debian:bookworm`. */
  readonly name: string;
  /** Without their ends. */
  readonly lines: readonly string[];
}

/** Lines of a text, counted from 1, both inclusive. */
export interface SourceLocation {
  readonly source: SourceText;
  readonly firstLine: number;
  readonly lastLine: number;
}

/** Lines shown before and after those in question. */
const LINES_AROUND = 2;
/** Of a long instruction, lines that are shown: a heredoc may have thousands. */
const MOST_LINES = 20;

/**
 * The lines of a location with their numbers and a few around them, in the form of BuildKit:
 *
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM debian
 *        2 | >>> RUNN true
 *     --------------------
 */
export function quoteLines({ source, firstLine, lastLine }: SourceLocation): string {
  const shownLast = Math.min(lastLine, firstLine + MOST_LINES - 1);
  const from = Math.max(1, firstLine - LINES_AROUND);
  const to = Math.min(source.lines.length, shownLast + LINES_AROUND);
  const width = Math.max(4, String(to).length);
  const rule = "-".repeat(20);
  const quoted = source.lines.slice(from - 1, to).map((line, index) => {
    const number = from + index;
    const marked = number >= firstLine && number <= shownLast;
    return `${String(number).padStart(width)} | ${marked ? ">>>" : "   "} ${printable(line)}`;
  });
  return [`${source.name}:${firstLine}`, rule, ...quoted.map((line) => line.trimEnd()), rule].join("\n");
}

/** Without characters that a terminal would obey. */
function printable(line: string): string {
  return line
    .replace(/\r$/, "")
    .replaceAll("\t", "    ")
    .replace(/[\p{Cc}\u{85}\u{2028}\u{2029}]/gu, "\u{fffd}");
}
