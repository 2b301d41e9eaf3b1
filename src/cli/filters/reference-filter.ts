import { familiarReference, familiarRepository, parseReference } from "../../image/reference.ts";
import { pathPattern } from "./path-pattern.ts";

/**
 * Whether a name fits a pattern, as Docker has it: the pattern is held against the name as users write it, with its tag
 * or digest and without.
 * @param name in full: `docker.io/library/debian:12`
 * @param pattern such as `debian`, `debian:1*` or `example.com/web-?`
 * @throws InvalidValue
 */
export function fitsReference(name: string, pattern: string): boolean {
  const reference = parseReference(name);
  const expression = pathPattern(pattern);
  return expression.test(familiarReference(reference)) || expression.test(familiarRepository(reference));
}
