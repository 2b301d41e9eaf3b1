/*
 * What of a directory is left out: the patterns of .dockerignore and of `--exclude`, by the rules of Docker
 * (moby/patternmatcher). A pattern that matches a directory matches all that is in it. `!` takes something back in. The
 * last pattern that matches decides, so their order matters.
 *
 * A walk takes the patterns along: `IgnoreState` says for one directory which patterns have matched it or one above it,
 * and makes the state of each name in it of that, so a pattern is held against each name once and never against the
 * same directory again. A directory that is left out is not entered, unless a pattern with `!` may match something below.
 */
import { BunkerError } from "../../sys/error.ts";
import { compileNamePattern, globExpression, isPattern } from "./glob.ts";

interface IgnorePattern {
  readonly isException: boolean;
  matches(path: string): boolean;
  /** Whether something below a directory of these components may match although the directory does not. */
  mayMatchBelow(components: readonly string[]): boolean;
}

/** What the patterns say of one path, and may say of what is below it. */
export interface IgnoreState {
  readonly isIgnored: boolean;
  /** Whether nothing below it can be taken back in. */
  readonly isClosed: boolean;
  /** The state of a name in it. */
  enter(name: string): IgnoreState;
}

const NOTHING_IGNORED: IgnoreState = { isIgnored: false, isClosed: false, enter: () => NOTHING_IGNORED };

/**
 * Compiles patterns.
 * @param patterns as `parseIgnoreFile` returns them, or values of `--exclude`
 * @returns the state of the directory that they are about
 * @throws BunkerError `invalid_pattern`
 */
export function ignoreState(patterns: readonly string[]): IgnoreState {
  const compiled = patterns.flatMap(compilePattern);
  if (compiled.length === 0) return NOTHING_IGNORED;
  return stateOf(compiled, [], new Array<boolean>(compiled.length).fill(false), false);
}

/** Whether a path is left out. */
export function isIgnored(state: IgnoreState, path: string): boolean {
  let current = state;
  for (const name of path.split("/")) if (name !== "" && name !== ".") current = current.enter(name);
  return current.isIgnored;
}

function stateOf(
  patterns: readonly IgnorePattern[],
  components: readonly string[],
  matched: readonly boolean[],
  isIgnored: boolean,
): IgnoreState {
  return {
    isIgnored,
    get isClosed() {
      return isIgnored && !patterns.some((pattern) => pattern.isException && pattern.mayMatchBelow(components));
    },
    enter(name) {
      const inside = [...components, name];
      const path = inside.join("/");
      let ignored = false;
      const insideMatched = patterns.map((pattern, index) => {
        const matches = matched[index] === true || pattern.matches(path);
        if (matches) ignored = !pattern.isException;
        return matches;
      });
      return stateOf(patterns, inside, insideMatched, ignored);
    },
  };
}

function compilePattern(text: string): IgnorePattern[] {
  const isException = text.startsWith("!");
  const pattern = cleanPath(text.slice(isException ? 1 : 0));
  if (pattern === ".") {
    if (isException) throw invalid(text, 'an exception needs a pattern after "!"');
    return [];
  }
  return [{ isException, matches: compilePath(pattern), mayMatchBelow: compileBelow(pattern) }];
}

function invalid(pattern: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_pattern",
    operation: "read the pattern",
    object: JSON.stringify(pattern),
    reason,
    exitStatus: 1,
  });
}

function compilePath(pattern: string): (path: string) => boolean {
  if (!isPattern(pattern)) return (path) => path === pattern;
  const expression = new RegExp(`^${globExpression(pattern, "directories")}$`, "su");
  return (path) => expression.test(path);
}

function compileBelow(pattern: string): (components: readonly string[]) => boolean {
  const parts = pattern.split("/").map((part) => (part.includes("**") ? undefined : compileNamePattern(part)));
  return (components) => {
    for (const [index, name] of components.entries()) {
      const part = parts[index];
      // `**` goes any way down.
      if (index < parts.length && part === undefined) return true;
      if (part?.(name) !== true) return false;
    }
    return parts.length > components.length;
  };
}

/** As Go's filepath.Clean, without a slash at the beginning. */
export function cleanPath(path: string): string {
  const components: string[] = [];
  for (const component of path.trim().split("/")) {
    if (component === "" || component === ".") continue;
    if (component === ".." && components.length > 0 && components.at(-1) !== "..") components.pop();
    else if (component !== ".." || !path.startsWith("/")) components.push(component);
  }
  return components.length === 0 ? "." : components.join("/");
}
