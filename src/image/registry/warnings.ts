/**
 * What a registry wants its users to know, `299 - "Your account expires soon."`; OCI distribution specification,
 * "Warnings".
 * @param header of all fields, joined by commas
 * @returns texts of one line
 */
export function parseWarnings(header: string | null): readonly string[] {
  // Warnings with another code are those of caches, of which users know nothing.
  const found = header?.matchAll(/(?:^|,)\s*299 - "((?:[^"\\]|\\.)*)"/g) ?? [];
  return [...found].flatMap(([, quoted = ""]) => {
    const text = quoted
      .replace(/\\(.)/g, "$1")
      .replace(/[\s\p{C}]+/gu, " ")
      .trim();
    return text === "" ? [] : [text];
  });
}
