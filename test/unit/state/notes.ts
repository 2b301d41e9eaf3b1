import type { StateComponent } from "../../../src/state/state-component.ts";

/** A component for tests. */
export const notes: StateComponent = {
  name: "notes",
  migrations: ["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"],
};
