import type { StateComponent } from "../../state/state-database.ts";

/** The containers' table. Times are milliseconds since 1970. */
export const containerComponent: StateComponent = {
  name: "containers",
  migrations: [
    `CREATE TABLE container (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      -- What it was made from; container-definition.ts.
      definition TEXT NOT NULL,
      status TEXT NOT NULL,
      -- Its first process, with the start time that tells it from later ones of the same number.
      pid INTEGER,
      start_time INTEGER,
      started INTEGER,
      finished INTEGER,
      exit_status INTEGER,
      -- Why it could not be started, or how its end was missed.
      error TEXT NOT NULL DEFAULT '',
      restart_count INTEGER NOT NULL DEFAULT 0,
      -- Whether somebody stopped it, so that no restart policy starts it again.
      stopped_by_user INTEGER NOT NULL DEFAULT 0,
      health TEXT
    ) STRICT, WITHOUT ROWID`,
    // The ports of the host that it was started with, as JSON.
    "ALTER TABLE container ADD COLUMN ports TEXT NOT NULL DEFAULT '[]'",
    // The path of its cgroup if it has one of its own, and whether the OOM killer has been there in its last run.
    `ALTER TABLE container ADD COLUMN cgroup TEXT;
    ALTER TABLE container ADD COLUMN out_of_memory INTEGER NOT NULL DEFAULT 0`,
    // The id of its mount namespace if it runs in another container's pid namespace; mountNamespaceId.
    "ALTER TABLE container ADD COLUMN mount_namespace TEXT",
  ],
};
