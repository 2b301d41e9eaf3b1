import type { StateComponent } from "../../state/state-component.ts";

/**
 * What the store knows of images. Documents and layers themselves are blobs on disk; here is what commands ask for
 * without reading them, and what must not be removed. Digests are texts, times milliseconds since 1970.
 */
export const imageTables: StateComponent = {
  name: "images",
  migrations: [
    `
    -- One manifest with its configuration. Several may have the same id: that is the digest of the configuration.
    CREATE TABLE image (
      manifest TEXT PRIMARY KEY,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      id TEXT NOT NULL,
      configuration_size INTEGER NOT NULL,
      os TEXT NOT NULL,
      architecture TEXT NOT NULL,
      variant TEXT,
      created INTEGER,
      added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX image_id ON image (id);

    -- Its layers, from the lowest to the uppermost.
    CREATE TABLE layer (
      image TEXT NOT NULL REFERENCES image ON DELETE CASCADE,
      position INTEGER NOT NULL,
      digest TEXT NOT NULL,
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      diff_id TEXT NOT NULL,
      PRIMARY KEY (image, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE label (
      image TEXT NOT NULL REFERENCES image ON DELETE CASCADE,
      name TEXT NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (image, name)
    ) STRICT, WITHOUT ROWID;

    -- A full name with a tag. The target is what was pulled or built under it: the manifest of the image, or an index
    -- of which the image is the one for the wanted platform. A list that the user makes has no image.
    CREATE TABLE name (
      reference TEXT PRIMARY KEY,
      target TEXT NOT NULL,
      target_media_type TEXT NOT NULL,
      target_size INTEGER NOT NULL,
      image TEXT REFERENCES image ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX name_image ON name (image);

    -- Under which digest, of a manifest or an index, an image is known in a repository.
    CREATE TABLE repository_digest (
      repository TEXT NOT NULL,
      digest TEXT NOT NULL,
      image TEXT NOT NULL REFERENCES image ON DELETE CASCADE,
      PRIMARY KEY (repository, digest, image)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX repository_digest_image ON repository_digest (image);
    `,
    `
    -- In which repository the rest of an image of a list is, of which only the manifest is here.
    CREATE TABLE list_origin (
      list TEXT NOT NULL,
      manifest TEXT NOT NULL,
      repository TEXT NOT NULL,
      PRIMARY KEY (list, manifest)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER list_origin_end AFTER DELETE ON name
    BEGIN DELETE FROM list_origin WHERE list = OLD.reference; END;
    `,
    `
    -- One row: how often the rows were changed, and up to which change index.json has been written.
    CREATE TABLE layout_index (
      changes INTEGER NOT NULL,
      written INTEGER NOT NULL
    ) STRICT;
    INSERT INTO layout_index SELECT count(*) > 0, 0 FROM image;
    `,
    `
    -- The names that an image has or had; the latest that it got has the highest place.
    CREATE TABLE name_history (
      image TEXT NOT NULL REFERENCES image ON DELETE CASCADE,
      reference TEXT NOT NULL,
      place INTEGER NOT NULL,
      PRIMARY KEY (image, reference)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO name_history SELECT image, reference, row_number() OVER (ORDER BY reference) FROM name
    WHERE image IS NOT NULL;
    CREATE TRIGGER name_history_begin AFTER INSERT ON name WHEN NEW.image IS NOT NULL
    BEGIN INSERT OR REPLACE INTO name_history SELECT NEW.image, NEW.reference,
    (SELECT coalesce(max(place), 0) + 1 FROM name_history WHERE image = NEW.image); END;
    `,
    // There were names with a digest, which no command could look up. Where that is the image's, it is known by it in the
    // repository: what stands before the digest, without the tag behind the last slash.
    {
      script: `
    INSERT OR IGNORE INTO repository_digest
    SELECT path || substr(last, 1, instr(last || ':', ':') - 1), target, image FROM (
      SELECT *, substr(named, length(path) + 1) AS last FROM (
        SELECT *, rtrim(named, replace(named, '/', '')) AS path FROM (
          SELECT target, image, substr(reference, 1, instr(reference, '@') - 1) AS named FROM name
          WHERE image IS NOT NULL AND reference LIKE '%@' || target
        )
      )
    );
    UPDATE layout_index SET changes = changes + (SELECT count(*) FROM name WHERE reference LIKE '%@%');
    DELETE FROM name WHERE reference LIKE '%@%';
    DELETE FROM name_history WHERE reference LIKE '%@%';
    `,
      keepsOlder: true,
    },
    // When an image got another name while it was here; older programs leave it as it is.
    { script: "ALTER TABLE image ADD COLUMN tagged INTEGER", keepsOlder: true },
  ],
};
