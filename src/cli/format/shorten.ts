/** Stands for what was left out. */
export const SHORTENED = "…";

/**
 * A text that is not to make a table too wide, its end replaced by `…` where it has more characters than that.
 * @param length characters at most, the mark included
 */
export function shorten(text: string, length: number): string {
  // Units, of which characters have one or more.
  if (text.length <= length) return text;
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}${SHORTENED}`;
}
