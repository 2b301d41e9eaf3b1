/*
 * Patterns of names, as Go's filepath.Match reads them: `*` and `?` stand for what has no slash, `[a-z]` and `[^a-z]` for
 * one character, and `\` takes the next character as it is. Where `**` is asked for, it stands for any number of
 * directories, as in .dockerignore.
 *
 * Names are matched as text: `?` is a character and not a byte of it.
 */
import { BunkerError } from "../../sys/error.ts";

/** Whether something in a pattern stands for more than itself. */
export function isPattern(text: string): boolean {
  return /[*?[\\]/.test(text);
}

/**
 * Translates a pattern.
 * @param doubleStar what `**` is: `directories`, or two stars like one
 * @returns the source of a regular expression with the flags `su`, without its ends
 * @throws BunkerError `invalid_pattern` for a class without an end and a lone backslash at the end
 */
export function globExpression(pattern: string, doubleStar: "directories" | "star"): string {
  const characters = [...pattern];
  let expression = "";
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*" && doubleStar === "directories" && characters[at + 1] === "*") {
      while (characters[at + 1] === "*") at++;
      if (characters[at + 1] === "/") {
        at++;
        expression += "(?:.*/)?";
      } else {
        expression += ".*";
      }
    } else if (character === "*") {
      expression += "[^/]*";
    } else if (character === "?") {
      expression += "[^/]";
    } else if (character === "[") {
      const [source, next] = classExpression(pattern, characters, at + 1);
      expression += source;
      at = next;
    } else if (character === "\\") {
      at++;
      if (at === characters.length) throw invalidPattern(pattern);
      expression += literal(characters[at] ?? "");
    } else {
      expression += literal(character);
    }
  }
  return expression;
}

/** A class of characters that begins at a place; its expression, and where its end is. */
function classExpression(pattern: string, characters: readonly string[], start: number): readonly [string, number] {
  let at = start;
  const isNegated = characters[at] === "^";
  if (isNegated) at++;
  const ranges: string[] = [];
  const take = (): string => {
    if (characters[at] === "\\") at++;
    const character = characters[at];
    // Go has no class that is empty or begins with the sign of a range.
    if (character === undefined || ((character === "-" || character === "]") && characters[at - 1] !== "\\")) {
      throw invalidPattern(pattern);
    }
    at++;
    return character;
  };
  do {
    const low = take();
    if (characters[at] !== "-") {
      ranges.push(classMember(low));
      continue;
    }
    at++;
    const high = take();
    // Nothing is in a range that ends before it begins.
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0))
      ranges.push(`${classMember(low)}-${classMember(high)}`);
  } while (characters[at] !== "]");
  return [`[${isNegated ? "^" : ""}${ranges.join("")}]`, at];
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function classMember(character: string): string {
  return /[\\^\]-]/.test(character) ? `\\${character}` : character;
}

function invalidPattern(pattern: string): BunkerError {
  return new BunkerError({
    code: "invalid_pattern",
    operation: "read the pattern",
    object: JSON.stringify(pattern),
    reason: "syntax error in pattern",
    exitStatus: 1,
  });
}

/** Compiles a pattern for whole names without slashes. */
export function compileNamePattern(pattern: string): (name: string) => boolean {
  if (!isPattern(pattern)) return (name) => name === pattern;
  const expression = new RegExp(`^${globExpression(pattern, "star")}$`, "su");
  return (name) => expression.test(name);
}
