import type { StateComponent } from "../../state/state-component.ts";

/**
 * What the build cache holds. Times are milliseconds since 1970, sizes bytes. The directories themselves are in
 * `<data>/build/layers/<id>/diff` and `<data>/build/mounts/<id>/data`.
 */
export const buildTables: StateComponent = {
  name: "build",
  migrations: [
    `
    -- What a step has changed in a root file system.
    CREATE TABLE build_layer (
      id TEXT PRIMARY KEY,
      description TEXT NOT NULL,
      size INTEGER NOT NULL,
      created INTEGER NOT NULL,
      used INTEGER NOT NULL,
      uses INTEGER NOT NULL,
      -- The boot in which it was written, until it is sure to be on the disk; NULL then.
      boot TEXT
    ) STRICT, WITHOUT ROWID;

    -- The layers that a layer lies on, from the lowest to the uppermost; below them is an image, or nothing.
    CREATE TABLE build_lower (
      layer TEXT NOT NULL REFERENCES build_layer ON DELETE CASCADE,
      position INTEGER NOT NULL,
      lower TEXT NOT NULL REFERENCES build_layer,
      PRIMARY KEY (layer, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_lower_lower ON build_lower (lower);

    -- The keys of steps that come to a layer: by what they do, or by the content that they copy.
    CREATE TABLE build_key (
      key TEXT PRIMARY KEY,
      layer TEXT NOT NULL REFERENCES build_layer ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX build_key_layer ON build_key (layer);

    -- A layer packed, in a form: compression, level, latest time.
    CREATE TABLE build_blob (
      layer TEXT NOT NULL REFERENCES build_layer ON DELETE CASCADE,
      form TEXT NOT NULL,
      media_type TEXT NOT NULL,
      digest TEXT NOT NULL,
      size INTEGER NOT NULL,
      diff_id TEXT NOT NULL,
      PRIMARY KEY (layer, form)
    ) STRICT, WITHOUT ROWID;

    -- The name of a layer among the unpacked layers of images.
    CREATE TABLE build_chain (
      layer TEXT PRIMARY KEY REFERENCES build_layer ON DELETE CASCADE,
      name TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Directories of RUN --mount=type=cache.
    CREATE TABLE build_mount (
      id TEXT PRIMARY KEY,
      description TEXT NOT NULL,
      created INTEGER NOT NULL,
      used INTEGER NOT NULL,
      uses INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    `,
  ],
};
