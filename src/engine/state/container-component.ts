import type { StateComponent } from "../../state/state-component.ts";

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
    // A list reads what is short of each row, and no page of what is long: with row ids a row fits into a page, and the
    // definition, which comes last, is the part of a longer one that lies elsewhere. What a list shows of definitions
    // is taken out of them when they are written: `command`, a JSON list, and `exposed_ports`, a JSON object of the ports
    // that one with a network of Bunker's says it serves.
    `CREATE TABLE new_container (
      number INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      status TEXT NOT NULL,
      pid INTEGER,
      start_time INTEGER,
      started INTEGER,
      finished INTEGER,
      exit_status INTEGER,
      error TEXT NOT NULL DEFAULT '',
      restart_count INTEGER NOT NULL DEFAULT 0,
      stopped_by_user INTEGER NOT NULL DEFAULT 0,
      health TEXT,
      ports TEXT NOT NULL DEFAULT '[]',
      cgroup TEXT,
      out_of_memory INTEGER NOT NULL DEFAULT 0,
      mount_namespace TEXT,
      image TEXT AS (definition ->> 'image') STORED,
      command TEXT AS (definition -> 'command') STORED,
      exposed_ports TEXT AS (
        CASE WHEN coalesce(definition -> 'networkPlan', definition -> 'membership') IS NOT NULL
        THEN definition -> '$.shown.configuration.ExposedPorts' END
      ) STORED,
      definition TEXT NOT NULL
    ) STRICT;
    INSERT INTO new_container (id, name, created, status, pid, start_time, started, finished, exit_status, error,
      restart_count, stopped_by_user, health, ports, cgroup, out_of_memory, mount_namespace, definition)
    SELECT id, name, created, status, pid, start_time, started, finished, exit_status, error,
      restart_count, stopped_by_user, health, ports, cgroup, out_of_memory, mount_namespace, definition FROM container;
    DROP TABLE container;
    ALTER TABLE new_container RENAME TO container`,
  ],
};
