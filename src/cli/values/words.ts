import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads a container's name by Docker's rule: two characters or more of letters, digits, `_`, `.` and `-`, of which the
 * first is a letter or a digit.
 * @throws InvalidValue
 */
export function parseContainerName(text: string): string {
  return matching(text, /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/, "expected [a-zA-Z0-9][a-zA-Z0-9_.-]+");
}

/**
 * Reads a host or domain name of at most the 64 bytes that the kernel keeps; sethostname(2).
 * @throws InvalidValue
 */
export function parseHostname(text: string): string {
  return matching(
    text,
    /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9_.])?$/,
    "expected up to 64 letters, digits, -, _ and .",
  );
}

/**
 * Reads `USER[:GROUP]`, each a name or a number.
 * @throws InvalidValue
 */
export function parseUser(text: string): string {
  return matching(text, /^[^:\s]+(:[^:\s]+)?$/, "expected USER[:GROUP], names or numbers");
}

/**
 * Reads a group's name or number.
 * @throws InvalidValue
 */
export function parseGroup(text: string): string {
  return matching(text, /^[^:\s]+$/, "expected a group's name or number");
}

/**
 * Reads `[OS/]ARCHITECTURE[/VARIANT]`.
 * @throws InvalidValue
 */
export function parsePlatform(text: string): string {
  return matching(
    text,
    /^[a-z0-9_.-]+(\/[a-z0-9_.-]+){0,2}$/,
    "expected OS/ARCHITECTURE[/VARIANT], such as linux/arm64",
  );
}

/**
 * Reads a kernel parameter, `NAME=VALUE`; sysctl(8).
 * @returns name and value
 * @throws InvalidValue
 */
export function parseSysctl(text: string): readonly [name: string, value: string] {
  const [, name, value] = /^([a-zA-Z0-9_-]+(?:[./][a-zA-Z0-9_:@-]+)+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidValue("expected NAME=VALUE, such as net.core.somaxconn=1024");
  return [name, value];
}

/**
 * Makes a parser that takes any text but the empty one.
 * @param expected the message for that
 */
export function notEmpty(expected: string): (text: string) => string {
  return (text) => matching(text, /./s, expected);
}

function matching(text: string, pattern: RegExp, expected: string): string {
  if (!pattern.test(text)) throw new InvalidValue(expected);
  return text;
}
