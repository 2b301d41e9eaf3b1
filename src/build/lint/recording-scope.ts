import type { Scope } from "../dockerfile/expand.ts";

/** A scope that remembers what it was asked for. */
export interface RecordingScope extends Scope {
  readonly found: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

/** Records the names that are looked up in a scope. */
export function recording({ lookUp, escape: escapeCharacter }: Scope): RecordingScope {
  const found = new Set<string>();
  const missing = new Set<string>();
  return {
    found,
    missing,
    escape: escapeCharacter,
    lookUp: (name) => {
      const value = lookUp(name);
      (value === undefined ? missing : found).add(name);
      return value;
    },
  };
}
