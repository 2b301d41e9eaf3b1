import {
  familiarReference,
  familiarRepository,
  formatReference,
  fullRepository,
  parseReference,
} from "../../image/reference.ts";
import { pathPattern } from "./path-pattern.ts";

/**
 * Makes a test of names, as Docker has it: the pattern is held against the name as users write it, with its tag or digest
 * and without; as in Podman against the full name where it begins with Docker Hub's.
 * @param pattern such as `debian`, `debian:1*` or `example.com/web-?`
 * @returns takes names in full: `docker.io/library/debian:12`
 * @throws InvalidValue
 */
export function referenceTest(pattern: string): (name: string) => boolean {
  if (pattern.startsWith("docker.io/")) {
    const expression = pathPattern(pattern.replace(/^docker\.io\/(?!.*\/)/, "docker.io/library/"));
    return (name) => {
      const reference = parseReference(name);
      return expression.test(formatReference(reference)) || expression.test(fullRepository(reference));
    };
  }
  const expression = pathPattern(pattern);
  return (name) => {
    const reference = parseReference(name);
    return expression.test(familiarReference(reference)) || expression.test(familiarRepository(reference));
  };
}
