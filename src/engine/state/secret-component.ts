import type { StateComponent } from "../../state/state-component.ts";

/** The secrets' table. Times are milliseconds since 1970. */
export const secretComponent: StateComponent = {
  name: "secrets",
  migrations: [
    `CREATE TABLE secret (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      updated INTEGER NOT NULL,
      -- A JSON object of strings.
      labels TEXT NOT NULL,
      -- The file in <data>/secrets with its data; another one with each change.
      file TEXT NOT NULL
    ) STRICT, WITHOUT ROWID`,
  ],
};
