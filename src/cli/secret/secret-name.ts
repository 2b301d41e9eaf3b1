import { InvalidValue } from "../invalid-value.ts";

const LONGEST = 253;

/**
 * Reads the name of a new secret, by Podman's rules; it is the name of a file in containers.
 * @throws InvalidValue
 */
export function parseSecretName(text: string): string {
  if (text === "" || text.length > LONGEST) throw new InvalidValue(`a name has 1 to ${LONGEST} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[=/,\x00-\x1f\x7f]/.test(text)) throw new InvalidValue("a name has no =, / or comma, and no control characters");
  if (text === "." || text === "..") throw new InvalidValue("it means a directory");
  return text;
}
