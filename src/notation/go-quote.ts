/* Text in quotation marks, as Go's strconv package writes it. */

const QUOTED: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/**
 * A string in quotation marks as strconv.Quote writes it.
 * @param asciiOnly whether everything beyond ASCII becomes an escape
 * @param mark the quotation mark
 */
export function quoteText(text: string, asciiOnly = false, mark = '"'): string {
  return mark + [...text].map((character) => quoteCharacter(character, asciiOnly, mark)).join("") + mark;
}

function quoteCharacter(character: string, asciiOnly: boolean, mark: string): string {
  if (character === mark) return `\\${mark}`;
  const escaped = QUOTED[character];
  if (escaped !== undefined) return escaped;
  const code = character.codePointAt(0) ?? 0;
  const isPrintable = character === " " || !/[\p{C}\p{Z}]/u.test(character);
  if (isPrintable && (!asciiOnly || code < 0x7f)) return character;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}
