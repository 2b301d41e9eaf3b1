/*
 * Cuts a template into tokens; text/template, "Text and spaces" and "Actions". Between `{{` and `}}` there are words,
 * numbers, strings and marks; outside there is text. Blanks matter in one place only, between the arguments of a
 * command, so a token knows whether blanks stand before it: `.a .b` are two arguments, `.a.b` is one.
 */

import { TemplateError } from "./template-error.ts";

/** What a token is. */
type TokenKind =
  | "text"
  | "open"
  | "close"
  | "field"
  | "variable"
  | "identifier"
  | "number"
  | "character"
  | "string"
  | "raw"
  | "mark"
  | "other"
  | "end";

/** One token. */
export interface Token {
  readonly kind: TokenKind;
  /** As it is written; text outside actions is trimmed already. */
  readonly text: string;
  /** Where it begins in the template, in characters. */
  readonly position: number;
  /** Whether blanks stand before it. */
  readonly spaced: boolean;
}

const TEXT_END = /\{\{/g;
const COMMENT_START = /(?:-[ \t\r\n])?[ \t\r\n]*\/\*/y;
const TRIM_BEFORE = /-(?=[ \t\r\n])/y;
const TRIM_AFTER = /[ \t\r\n]-\}\}/y;
const BLANKS = /[ \t\r\n]+/y;
const WORD = /[\p{L}\p{Nd}_]+/uy;
const NUMBER = /[+-]?(?:\.?[0-9])[0-9a-zA-Z_.]*(?:(?<=[eEpP])[+-][0-9a-zA-Z_.]*)?/y;
const MARK = /:=|[=(),|.]/y;
/** What may follow a name. */
const TERMINATOR = /^(?:[ \t\r\n.,|:=()]|\}\})/;

/**
 * Cuts a template into tokens.
 * @returns the tokens, of which the last is `end`
 * @throws TemplateError
 */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;

  const fail = (message: string, at = position): never => {
    throw new TemplateError(`template: :${lineOf(source, at)}: ${message}`);
  };
  /** The piece of the source that a sticky expression matches here. */
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const found = pattern.exec(source)?.[0];
    if (found !== undefined) position += found.length;
    return found;
  };

  while (position < source.length) {
    TEXT_END.lastIndex = position;
    const open = TEXT_END.exec(source)?.index ?? source.length;
    let text = source.slice(position, open);
    const start = position;
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, "");
    trimNext = false;
    position = open;
    if (open < source.length) {
      position += 2;
      TRIM_BEFORE.lastIndex = position;
      if (TRIM_BEFORE.test(source)) text = text.replace(/[ \t\r\n]+$/, "");
    }
    if (text !== "") tokens.push({ kind: "text", text, position: start, spaced: false });
    if (open === source.length) break;
    trimNext = readAction(open);
  }
  tokens.push({ kind: "end", text: "EOF", position: source.length, spaced: false });
  return tokens;

  /** Reads what stands behind `{{` to the `}}`; tells whether blanks behind that are to be dropped. */
  function readAction(open: number): boolean {
    if (take(COMMENT_START) !== undefined) return readComment(open);
    take(TRIM_BEFORE);
    tokens.push({ kind: "open", text: "{{", position: open, spaced: false });
    let depth = 0;
    for (;;) {
      TRIM_AFTER.lastIndex = position;
      const trims = TRIM_AFTER.test(source);
      const spaced = !trims && take(BLANKS) !== undefined;
      const at = position;
      // Blanks may be more than the one that belongs to the mark.
      const close = trims ? take(TRIM_AFTER) : spaced ? lateClose() : take(/\}\}/y);
      if (close !== undefined) {
        if (depth > 0) fail("unclosed left paren", at);
        tokens.push({ kind: "close", text: "}}", position: at, spaced });
        return close.includes("-");
      }
      if (position >= source.length) fail("unclosed action", at);
      const token = readToken(at, spaced);
      // Marks alone: quoted ones keep their quotation marks.
      if (token.text === "(") depth++;
      if (token.text === ")" && --depth < 0) fail("unexpected right paren", at);
      tokens.push(token);
    }
  }

  function lateClose(): string | undefined {
    return take(/(?<=[ \t\r\n])-\}\}/y) ?? take(/\}\}/y);
  }

  function readComment(open: number): boolean {
    const end = source.indexOf("*/", position);
    if (end < 0) fail("unclosed comment", open);
    position = end + 2;
    const close = take(TRIM_AFTER) ?? take(/\}\}/y);
    if (close === undefined) return fail("comment ends before closing delimiter", open);
    return close.includes("-");
  }

  function readToken(at: number, spaced: boolean): Token {
    const token = (kind: TokenKind): Token => ({ kind, text: source.slice(at, position), position: at, spaced });
    const character = source[position] ?? "";
    if (character === '"') return readQuoted(/"(?:[^"\\\n]|\\[^\n])*"/y, "unterminated quoted string", token("string"));
    if (character === "'")
      return readQuoted(/'(?:[^'\\\n]|\\[^\n])*'/y, "unterminated character constant", token("character"));
    if (character === "`") return readQuoted(/`[^`]*`/y, "unterminated raw quoted string", token("raw"));
    if (take(NUMBER) !== undefined) {
      if (take(WORD) !== undefined) fail(`bad number syntax: ${JSON.stringify(source.slice(at, position))}`, at);
      return token("number");
    }
    if (character === "$" || character === ".") {
      position++;
      if (take(WORD) !== undefined) return checkedWord(token(character === "$" ? "variable" : "field"));
      return token(character === "$" ? "variable" : "mark");
    }
    if (take(WORD) !== undefined) return checkedWord(token("identifier"));
    if (take(MARK) !== undefined) return token("mark");
    // The parser knows where the character is out of place.
    if (take(/[\x20-\x7e]/y) !== undefined) return token("other");
    return fail(`unrecognized character in action: ${unicodeName(source, at)}`, at);
  }

  function readQuoted(pattern: RegExp, problem: string, token: Token): Token {
    const text = take(pattern);
    return text === undefined ? fail(problem, token.position) : { ...token, text };
  }

  /** A word ends at blanks or a mark that can follow an operand; anything else would read as a part of it. */
  function checkedWord(token: Token): Token {
    return position === source.length || TERMINATOR.test(source.slice(position, position + 2))
      ? token
      : fail(`bad character ${unicodeName(source, position)}`);
  }
}

/** A character as Go writes it in messages: `U+0023 '#'`. */
function unicodeName(source: string, position: number): string {
  const code = source.codePointAt(position) ?? 0;
  const character = String.fromCodePoint(code);
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  return /[\p{C}\p{Z}]/u.test(character) ? `U+${hex}` : `U+${hex} '${character}'`;
}

/** The number of the line, from 1, that a position is on. */
export function lineOf(source: string, position: number): number {
  return source.slice(0, position).split("\n").length;
}
