/**
 * Whether a text is decimal digits and nothing else, at least one. A loop, because a pattern is compiled when it is first
 * tried: 0.1 ms for each that a command comes across, and 0.5 more for the first of them.
 */
export function isDecimal(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text !== "";
}
