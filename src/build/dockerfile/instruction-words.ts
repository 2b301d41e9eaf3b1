/*
 * How the text after an instruction's name is divided: flags first, then a JSON array, words between blanks, or words
 * that may be quoted. Quotation marks stay in the words, for their meaning is only settled with the variables in them;
 * flags are the exception, they lose them here.
 */
import { LanguageMistake } from "./dockerfile-error.ts";
import type { EscapeCharacter } from "./instruction.ts";

/** The words that begin with `--`, without quotation marks, and the text after them. */
export function splitFlags(text: string, escapeCharacter: EscapeCharacter): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let rest = text.trimStart();
  while (rest.startsWith("--")) {
    const { flag, end } = readFlag(rest, escapeCharacter);
    rest = rest.slice(end).trimStart();
    if (flag === "--") break;
    flags.push(flag);
  }
  return { flags, rest: rest.trim() };
}

function readFlag(text: string, escapeCharacter: EscapeCharacter): { flag: string; end: number } {
  let flag = "";
  let quotation = "";
  let at = 0;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === escapeCharacter) flag += text.charAt(++at);
    else if (quotation !== "") {
      if (character === quotation) quotation = "";
      else flag += character;
    } else if (character === '"' || character === "'") quotation = character;
    else if (/\s/.test(character)) break;
    else flag += character;
  }
  return { flag, end: at };
}

/** Words between blanks; quotation marks have no meaning. */
export function splitAtBlanks(text: string): string[] {
  return text === "" ? [] : text.split(/[\t\v\f\r ]+/);
}

/** Words between blanks that are neither quoted nor escaped. */
export function splitQuotedWords(text: string, escapeCharacter: EscapeCharacter): string[] {
  const words: string[] = [];
  let word = "";
  let quotation = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === escapeCharacter && quotation !== "'") {
      if (at + 1 < text.length) word += character + text.charAt(++at);
    } else if (quotation === "" && /\s/.test(character)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      word += character;
      if (character === quotation) quotation = "";
      else if (quotation === "" && (character === '"' || character === "'")) quotation = character;
    }
  }
  return word === "" ? words : [...words, word];
}

/**
 * The strings of a JSON array; undefined for a text that is none, which is then meant otherwise.
 * @throws LanguageMistake for an array of anything else
 */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  return value.map((word: unknown) => {
    if (typeof word === "string") return word;
    throw new LanguageMistake("when using JSON array syntax, arrays must be comprised of strings only");
  });
}
