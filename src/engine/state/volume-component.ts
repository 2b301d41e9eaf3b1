import type { StateComponent } from "../../state/state-component.ts";

/** The volumes' tables. Times are milliseconds since 1970. */
export const volumeComponent: StateComponent = {
  name: "volumes",
  migrations: [
    `CREATE TABLE volume (
      name TEXT PRIMARY KEY,
      created INTEGER NOT NULL,
      -- Whether it was made without a name.
      anonymous INTEGER NOT NULL,
      -- JSON objects of strings.
      labels TEXT NOT NULL,
      options TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- A container is noted before it is recorded; see volumes.ts.
    CREATE TABLE volume_use (
      volume TEXT NOT NULL REFERENCES volume (name) ON DELETE CASCADE,
      container TEXT NOT NULL,
      -- Whether the container was given it without a name, so that it may go with the container.
      anonymous INTEGER NOT NULL,
      PRIMARY KEY (volume, container)
    ) STRICT, WITHOUT ROWID`,
  ],
};
