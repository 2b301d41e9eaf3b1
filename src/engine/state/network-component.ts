import type { StateComponent } from "../../state/state-component.ts";

/** The tables of the networks that users make. Times are milliseconds since 1970. */
export const networkComponent: StateComponent = {
  name: "networks",
  migrations: [
    `CREATE TABLE network (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      created INTEGER NOT NULL,
      -- Whether nothing outside is reached from it.
      internal INTEGER NOT NULL,
      -- Whether its resolver answers.
      dns INTEGER NOT NULL,
      -- JSON: see networks.ts.
      subnets TEXT NOT NULL,
      -- JSON objects of strings.
      options TEXT NOT NULL,
      labels TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- A container is noted before it is recorded; see networks.ts.
    CREATE TABLE endpoint (
      network TEXT NOT NULL REFERENCES network (id),
      container TEXT NOT NULL,
      id TEXT NOT NULL,
      -- Its device is called eth and this number.
      position INTEGER NOT NULL,
      ipv4 TEXT NOT NULL,
      ipv6 TEXT,
      hardware_address TEXT NOT NULL,
      -- JSON: what the user has asked for.
      request TEXT NOT NULL,
      PRIMARY KEY (network, container),
      UNIQUE (container, position),
      UNIQUE (network, ipv4),
      UNIQUE (network, ipv6)
    ) STRICT, WITHOUT ROWID`,
    // A network that was removed stays as long as containers that do not run are on it; its name is free.
    `CREATE TABLE new_network (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      created INTEGER NOT NULL,
      internal INTEGER NOT NULL,
      dns INTEGER NOT NULL,
      subnets TEXT NOT NULL,
      options TEXT NOT NULL,
      labels TEXT NOT NULL,
      removed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_network SELECT *, 0 FROM network;
    CREATE TABLE new_endpoint (
      network TEXT NOT NULL REFERENCES new_network (id),
      container TEXT NOT NULL,
      id TEXT NOT NULL,
      position INTEGER NOT NULL,
      ipv4 TEXT NOT NULL,
      ipv6 TEXT,
      hardware_address TEXT NOT NULL,
      request TEXT NOT NULL,
      PRIMARY KEY (network, container),
      UNIQUE (container, position),
      UNIQUE (network, ipv4),
      UNIQUE (network, ipv6)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_endpoint SELECT * FROM endpoint;
    DROP TABLE endpoint;
    DROP TABLE network;
    ALTER TABLE new_network RENAME TO network;
    ALTER TABLE new_endpoint RENAME TO endpoint;
    CREATE UNIQUE INDEX network_name ON network (name) WHERE removed = 0`,
    // JSON: see networks.ts.
    `ALTER TABLE network ADD COLUMN resolvers TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE network ADD COLUMN routes TEXT NOT NULL DEFAULT '[]'`,
  ],
};
