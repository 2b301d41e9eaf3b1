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
