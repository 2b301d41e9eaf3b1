import type { Structure } from "./template/value.ts";

/**
 * Gives a struct more fields, which templates find by their names; JSON, `{{.}}` and hints do not show them. So it has
 * Podman's beside those that Docker shows, and what is left out where it says nothing.
 * @param structure gets them
 */
export function hiddenFields(structure: Structure, hidden: Structure): Structure {
  for (const [name, value] of Object.entries(hidden)) Object.defineProperty(structure, name, { value });
  return structure;
}

/** Gives a struct fields that Docker's JSON leaves out where they say nothing, and its templates know. */
export function withAbsent(structure: Structure, absent: Structure): Structure {
  const missing = Object.entries(absent).filter(([name]) => !Object.hasOwn(structure, name));
  return hiddenFields(structure, Object.fromEntries(missing));
}
