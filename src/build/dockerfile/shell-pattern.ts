/*
 * Patterns in `${name#pattern}` and its like: `*` is any text, `?` one character, and a backslash makes the next of `*`,
 * `?` and itself an ordinary one. Bracket expressions are ordinary text, as in BuildKit.
 *
 * A pattern is matched by following all places in it at once, one character after the other, so the time is at most the
 * product of both lengths whatever the pattern is.
 */
import { LanguageMistake } from "./dockerfile-error.ts";

/** A character that must be there, any character, or any number of them. */
type PatternPart = { readonly character: string } | "one" | "many";

export type ShellPattern = readonly PatternPart[];

/** @throws LanguageMistake for a backslash before something that needs none */
export function parseShellPattern(text: string): ShellPattern {
  const parts: PatternPart[] = [];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") parts.push("many");
    else if (character === "?") parts.push("one");
    else if (character === "\\") parts.push({ character: escaped(characters[++at], text) });
    else parts.push({ character });
  }
  return parts;
}

function escaped(character: string | undefined, text: string): string {
  if (character !== undefined && "*?\\}/".includes(character)) return character;
  throw new LanguageMistake(`invalid pattern (${text}) in substitution: invalid escape '\\${character ?? ""}'`);
}

/** `${value#pattern}`, or `##` where it is greedy. */
export function removePrefix(value: string, pattern: ShellPattern, isGreedy: boolean): string {
  const characters = [...value];
  const ends = matchEnds(pattern, characters, 0);
  const end = isGreedy ? ends.at(-1) : ends[0];
  return end === undefined ? value : characters.slice(end).join("");
}

/** `${value%pattern}`, or `%%` where it is greedy. */
export function removeSuffix(value: string, pattern: ShellPattern, isGreedy: boolean): string {
  const reversed = [...value].reverse().join("");
  return [...removePrefix(reversed, pattern.toReversed(), isGreedy)].reverse().join("");
}

/** `${value/pattern/replacement}`, or `//` where all are replaced: the longest matches, of at least one character. */
export function replaceMatches(value: string, pattern: ShellPattern, replacement: string, all: boolean): string {
  const characters = [...value];
  let result = "";
  let at = 0;
  while (at < characters.length) {
    const end = matchEnds(pattern, characters, at).at(-1);
    if (end === undefined || end === at) {
      result += characters[at++];
      continue;
    }
    result += replacement;
    at = end;
    if (!all) break;
  }
  return result + characters.slice(at).join("");
}

/** Where matches that begin at a place may end, in rising order. */
function matchEnds(pattern: ShellPattern, characters: readonly string[], start: number): number[] {
  const ends: number[] = [];
  let places = withSkippedStars(pattern, new Set([0]));
  for (let at = start; places.size > 0; at++) {
    if (places.has(pattern.length)) ends.push(at);
    const character = characters[at];
    if (character === undefined) break;
    const next = new Set<number>();
    for (const place of places) {
      const part = pattern[place];
      if (part === "many") next.add(place);
      else if (part === "one" || part?.character === character) next.add(place + 1);
    }
    places = withSkippedStars(pattern, next);
  }
  return ends;
}

/** Places that are reached without another character, because a `*` may stand for nothing. */
function withSkippedStars(pattern: ShellPattern, places: Set<number>): Set<number> {
  for (const place of places) if (pattern[place] === "many") places.add(place + 1);
  return places;
}
