import { InvalidValue } from "../invalid-value.ts";

/**
 * Makes an expression of a pattern for names with slashes; pkg.go.dev/path, "Match": `*` and `?` match no slash, `[a-z]`
 * and `[^a-z]` one character, `\` takes the next one as it is.
 * @throws InvalidValue
 */
export function pathPattern(pattern: string): RegExp {
  const source = pattern.replace(/\\(.)|\[(\^?)((?:\\.|[^\]\\])+)\]|([*?])|([\\[])|([^\\[*?])/gsu, translate);
  return new RegExp(`^${source}$`, "su");
}

function translate(
  _whole: string,
  escaped: string | undefined,
  negation: string | undefined,
  members: string | undefined,
  wildcard: string | undefined,
  broken: string | undefined,
  plain: string | undefined,
): string {
  if (broken !== undefined) throw new InvalidValue("syntax error in pattern");
  if (wildcard !== undefined) return wildcard === "*" ? "[^/]*" : "[^/]";
  if (members === undefined) return quoteForExpression(escaped ?? plain ?? "");
  return `[${negation}${characterClass(members)}]`;
}

/** The members of a class: characters and ranges. */
function characterClass(members: string): string {
  const characters = [...members.matchAll(/\\(.)|(.)/gsu)].map(([, escaped, plain]) => ({
    character: escaped ?? plain ?? "",
    isRange: plain === "-",
  }));
  let expression = "";
  for (let index = 0; index < characters.length; index++) {
    const { character = "", isRange = false } = characters[index] ?? {};
    // A dash stands between two others, or it is a mistake.
    if (isRange) throw new InvalidValue("syntax error in pattern");
    const end = characters[index + 1]?.isRange ? characters[index + 2] : undefined;
    if (characters[index + 1]?.isRange && (end === undefined || end.isRange)) {
      throw new InvalidValue("syntax error in pattern");
    }
    if (end === undefined) expression += codePoint(character);
    // A range from high to low has no members.
    else if (end.character >= character) expression += `${codePoint(character)}-${codePoint(end.character)}`;
    if (end !== undefined) index += 2;
  }
  return expression;
}

function codePoint(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function quoteForExpression(character: string): string {
  return /[$()*+./?[\\\]^{|}]/.test(character) ? `\\${character}` : character;
}
