/*
 * Variables and quotation marks in the words of instructions; "Environment replacement" in the Dockerfile reference, which
 * follows the shell's parameter expansion (POSIX.1-2024, XCU 2.6.2).
 *
 * A text is read once from left to right into pieces. A piece knows whether blanks in it may separate words: those of the
 * text itself and of values do, those that are quoted or escaped do not. `expand` joins the pieces, `expandToWords`
 * separates them.
 *
 * Between `'` nothing is special, between `"` variables are, and the escape character takes its meaning from `"`, `$` and
 * itself. Elsewhere it does so from any character and disappears. A variable without a value stands for nothing. `${` may
 * be nested in the words of modifiers; a pattern keeps its escape characters, for they belong to it.
 */
import { LanguageMistake } from "./dockerfile-error.ts";
import type { EscapeCharacter } from "./instruction.ts";
import { parseShellPattern, removePrefix, removeSuffix, replaceMatches } from "./shell-pattern.ts";

/** What variables mean at a place of the file. */
export interface Scope {
  /** @returns the value of a variable, undefined if it is not set */
  readonly lookUp: (name: string) => string | undefined;
  readonly escape: EscapeCharacter;
}

interface Piece {
  readonly text: string;
  readonly separates: boolean;
}

/** How a text is read: what is special in it, and where it ends. */
interface Manner {
  readonly scope: Scope;
  readonly hasQuotes: boolean;
  readonly keepsEscapes: boolean;
  /** The character after the text; undefined for the end of everything. */
  readonly stop: string | undefined;
}

interface Cursor {
  readonly characters: readonly string[];
  at: number;
}

/**
 * Replaces variables and removes quotation marks.
 * @throws LanguageMistake for what the shell would not understand, and for `${name?message}` without a value
 */
export function expand(word: string, scope: Scope): string {
  return join(readAll(word, scope, true));
}

/** As `expand`, for what is between the marks of a heredoc: quotation marks are ordinary characters. */
export function expandHeredoc(content: string, scope: Scope): string {
  return join(readAll(content, { ...scope, escape: "\\" }, false));
}

/** As `expand`, and separates the result at its blanks; words with nothing in them are left out. */
export function expandToWords(text: string, scope: Scope): string[] {
  const words: string[] = [];
  let word = "";
  for (const { text: part, separates } of readAll(text, scope, true)) {
    const [first = "", ...more] = separates ? part.split(/\s+/) : [part];
    word += first;
    for (const next of more) {
      if (word !== "") words.push(word);
      word = next;
    }
  }
  return word === "" ? words : [...words, word];
}

function readAll(text: string, scope: Scope, hasQuotes: boolean): Piece[] {
  const cursor: Cursor = { characters: [...text], at: 0 };
  try {
    return readPieces(cursor, { scope, hasQuotes, keepsEscapes: false, stop: undefined });
  } catch (cause) {
    if (!(cause instanceof LanguageMistake)) throw cause;
    throw new LanguageMistake(`failed to process ${JSON.stringify(text)}: ${cause.message}`, { cause });
  }
}

function join(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join("");
}

function readPieces(cursor: Cursor, manner: Manner): Piece[] {
  const { scope, hasQuotes, keepsEscapes, stop } = manner;
  const pieces: Piece[] = [];
  for (;;) {
    const character = cursor.characters[cursor.at];
    if (character === undefined) {
      if (stop === undefined) return pieces;
      throw new LanguageMistake(
        stop === "/" ? "syntax error: missing '/' of the replacement" : "syntax error: missing '}'",
      );
    }
    cursor.at++;
    if (character === stop) return pieces;
    if (character === "$") {
      pieces.push({ text: readVariable(cursor, manner), separates: true });
    } else if (hasQuotes && character === "'") {
      pieces.push({ text: readSingleQuoted(cursor), separates: false });
    } else if (hasQuotes && character === '"') {
      pieces.push({ text: readDoubleQuoted(cursor, manner), separates: false });
    } else if (character === scope.escape) {
      const next = cursor.characters[cursor.at++] ?? "";
      pieces.push({ text: keepsEscapes ? character + next : next, separates: false });
    } else {
      pieces.push({ text: character, separates: true });
    }
  }
}

function readSingleQuoted(cursor: Cursor): string {
  const end = cursor.characters.indexOf("'", cursor.at);
  if (end === -1) throw new LanguageMistake("unexpected end of statement while looking for matching single-quote");
  const text = cursor.characters.slice(cursor.at, end).join("");
  cursor.at = end + 1;
  return text;
}

function readDoubleQuoted(cursor: Cursor, manner: Manner): string {
  const escapeCharacter = manner.scope.escape;
  let text = "";
  for (;;) {
    const character = cursor.characters[cursor.at++];
    if (character === undefined) {
      throw new LanguageMistake("unexpected end of statement while looking for matching double-quote");
    }
    if (character === '"') return text;
    if (character === "$") {
      text += readVariable(cursor, manner);
    } else if (character === escapeCharacter) {
      const next = cursor.characters[cursor.at];
      const isEscaped = next === '"' || next === "$" || next === escapeCharacter;
      if (manner.keepsEscapes || !isEscaped) text += character;
      if (isEscaped) text += cursor.characters[cursor.at++];
    } else {
      text += character;
    }
  }
}

/** What stands after a `$`. */
function readVariable(cursor: Cursor, manner: Manner): string {
  if (cursor.characters[cursor.at] !== "{") {
    const name = readName(cursor);
    return name === "" ? "$" : (manner.scope.lookUp(name) ?? "");
  }
  cursor.at++;
  const first = cursor.characters[cursor.at];
  if (first === undefined) throw new LanguageMistake("syntax error: missing '}'");
  if ("{}:".includes(first)) throw new LanguageMistake("syntax error: bad substitution");
  const name = readName(cursor);
  const modifier = cursor.characters[cursor.at++];
  if (modifier === undefined) throw new LanguageMistake("syntax error: missing '}'");
  return modifier === "}" ? (manner.scope.lookUp(name) ?? "") : modifiedValue(cursor, manner, name, modifier);
}

function modifiedValue(cursor: Cursor, manner: Manner, name: string, modifier: string): string {
  const rest = (stop: string, keepsEscapes: boolean) => join(readPieces(cursor, { ...manner, stop, keepsEscapes }));
  const value = () => manner.scope.lookUp(name);
  switch (modifier) {
    case "/": {
      const all = cursor.characters[cursor.at] === "/";
      if (all) cursor.at++;
      const pattern = parseShellPattern(rest("/", true));
      const replacement = rest("}", true);
      return replaceMatches(value() ?? "", pattern, replacement, all);
    }
    case "#":
    case "%": {
      const isGreedy = cursor.characters[cursor.at] === modifier;
      if (isGreedy) cursor.at++;
      const pattern = parseShellPattern(rest("}", true));
      return (modifier === "#" ? removePrefix : removeSuffix)(value() ?? "", pattern, isGreedy);
    }
    case ":": {
      const kind = cursor.characters[cursor.at++] ?? "";
      if (!"-+?".includes(kind) || kind === "") throw unsupported(`:${kind}`);
      return substitute(name, value() || undefined, kind, rest("}", false), "empty");
    }
    case "-":
    case "+":
    case "?":
      return substitute(name, value(), modifier, rest("}", false), "unset");
    default:
      throw unsupported(modifier);
  }
}

function unsupported(modifier: string): LanguageMistake {
  return new LanguageMistake(`unsupported modifier (${modifier}) in substitution`);
}

function substitute(name: string, value: string | undefined, kind: string, word: string, forbidden: string): string {
  if (kind === "+") return value === undefined ? "" : word;
  if (value !== undefined) return value;
  if (kind === "-") return word;
  throw new LanguageMistake(`${name}: ${word === "" ? `is not allowed to be ${forbidden}` : word}`);
}

/** Letters, digits and `_`; or a number; or one of the shell's special parameters, which have no value here. */
function readName(cursor: Cursor): string {
  const isDigit = /^\p{Nd}$/u.test(cursor.characters[cursor.at] ?? "");
  const belongs = isDigit ? /^\p{Nd}$/u : /^[\p{L}\p{Nd}_]$/u;
  const start = cursor.at;
  while (belongs.test(cursor.characters[cursor.at] ?? "")) cursor.at++;
  if (cursor.at === start && /^[@*#?\-$!]$/.test(cursor.characters[start] ?? "")) cursor.at++;
  return cursor.characters.slice(start, cursor.at).join("");
}
