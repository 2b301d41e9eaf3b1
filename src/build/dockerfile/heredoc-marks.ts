/*
 * Where an instruction announces heredocs: `<<NAME`, `<<-NAME`, `<<"NAME"`, with the number of a descriptor before it for
 * a shell. Marks are words of their own; a mark in quotation marks is text. Quotation marks that are not closed are the
 * shell's to complain about, and then there are no heredocs.
 */
import type { Heredoc } from "./instruction.ts";

/** A heredoc whose content has not been read. */
export type HeredocMark = Omit<Heredoc, "content">;

const MARK = /^\d*<<(-?)\s*([^<]+)$/;

/** All heredocs that a line announces. */
export function heredocMarks(line: string): readonly HeredocMark[] {
  return (splitWords(line) ?? []).flatMap((word) => heredocMark(word) ?? []);
}

/** The heredoc that a word announces; undefined for any other word. */
export function heredocMark(word: string): HeredocMark | undefined {
  const match = MARK.exec(word);
  const delimiter = match?.[2] ?? "";
  const words = delimiter === "" ? undefined : splitWords(delimiter);
  if (words === undefined || words.length !== 1) return undefined;
  const name = withoutQuotes(delimiter);
  return name === ""
    ? undefined
    : { name, stripsTabs: match?.[1] === "-", expands: !/["']/.test(delimiter.replace(/\\./gs, "")) };
}

/** A part of a word: quoted, escaped, a mark with the blanks after it, or a character. */
const PART = /'[^']*'|"(?:\\.|[^"\\])*"|\\.|<<[ \t]*|./gsy;

/** Separates at blanks that are not quoted, and leaves quotation marks in; undefined if one of them is not closed. */
function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word = "";
  for (const [part] of text.matchAll(PART)) {
    if (part === "'" || part === '"') return undefined;
    if (/^\s$/.test(part)) {
      if (word !== "") words.push(word);
      word = "";
    } else word += part;
  }
  if (word !== "") words.push(word);
  return words;
}

function withoutQuotes(word: string): string {
  return word.replaceAll(PART, (part) =>
    /^['"]./s.test(part) ? part.slice(1, -1).replace(/\\(["\\$])/g, "$1") : part.replace(/^\\(.)$/s, "$1"),
  );
}
