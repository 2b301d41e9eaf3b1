/*
 * What a server asks for in WWW-Authenticate; RFC 9110, section 11.6.1. A header may hold several challenges, and both
 * challenges and their parameters are separated by commas: a word followed by `=` is a parameter, any other begins the
 * next challenge.
 */

/** One way to authenticate that the server offers. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SCHEME = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=$|[\s,])[ \t]*/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const PARAMETER =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/-]+))[ \t]*(?=,|$)/y;

/**
 * Reads the header.
 * @param header its value, of several fields joined by commas
 * @returns the challenges up to the first thing that is none
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  let position = 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = position;
    const found = pattern.exec(header);
    if (found !== null) position = pattern.lastIndex;
    return found;
  };
  for (let scheme = match(SCHEME); scheme !== null; scheme = match(SCHEME)) {
    const parameters = new Map<string, string>();
    let parameter = match(PARAMETER);
    if (parameter === null) match(TOKEN68);
    for (; parameter !== null; parameter = match(PARAMETER)) {
      const [, name = "", quoted, plain = ""] = parameter;
      parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1"));
    }
    challenges.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters });
  }
  return challenges;
}
