/*
 * Digests of files of build contexts, remembered from build to build as git's index does, so that a build reads a file's
 * bytes only when they may be others than before.
 *
 * A file is taken for unchanged when inode, size, and the times of its last modification and of its last change are the
 * same; the last of them nobody can set. A time is as coarse as the file system has it: a file that is changed twice
 * within a tick looks the same both times. So a digest is only remembered of a file whose last change lies some seconds
 * before it was read, and that has not changed while it was.
 *
 * One row holds the files of one directory, which is known by device and inode: so a walk asks once for each directory,
 * and a context that is moved keeps its digests. Rows that nobody has asked for in a month are removed.
 */
import type { StateComponent } from "../../state/state-component.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { type ByteString, byteStringOf } from "../../sys/byte-string.ts";
import { statusAt } from "../../sys/file.ts";
import type { FileStatus, Timestamp } from "../../sys/stat.ts";
import { fileIdentity } from "./file-identity.ts";

/** Where they are kept. */
export const fileDigestTables: StateComponent = {
  name: "file-digests",
  migrations: [
    `
    -- The files of one directory: name, identity and digest of each, with a NUL byte after each of them. Times are days
    -- since 1970.
    CREATE TABLE directory_digests (
      device INTEGER NOT NULL,
      inode INTEGER NOT NULL,
      files BLOB NOT NULL,
      used INTEGER NOT NULL,
      PRIMARY KEY (device, inode)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX directory_digests_used ON directory_digests (used);
    `,
  ],
};

/** File systems keep times by the two seconds (FAT) or finer. */
const COARSEST_TIME = 2_000;
const DAY = 86_400_000;
const KEPT_DAYS = 30;

/** The files of one directory. */
export interface DirectoryDigests {
  /** The digest of a file that is the one that was remembered. */
  find(name: ByteString, identity: string): string | undefined;
  /**
   * Remembers a digest, unless the file may have changed since it was read, or may yet change unseen.
   * @param before,after its status before and after it was read
   * @param started milliseconds since 1970, when it was begun to be read
   */
  remember(name: ByteString, before: FileStatus, after: FileStatus, started: number, digest: string): void;
  /** Nothing more comes; the directory is still open. */
  close(): void;
  /** To be called before the bytes of a file are read. */
  beforeReading(): void;
}

interface Row {
  readonly files: Uint8Array;
  readonly used: number;
}

interface KnownFile {
  readonly identity: string;
  readonly digest: string;
}

/** A directory that has been asked for. */
interface OpenDirectory {
  readonly device: number;
  readonly inode: number;
  readonly files: Map<ByteString, KnownFile>;
  /** Whether its row says that it was used today. */
  readonly isRecent: boolean;
  isChanged: boolean;
}

/** What is remembered, for one walk. */
export class FileDigests implements Disposable {
  readonly #database: StateDatabase;
  readonly #beforeReading: () => void;
  readonly #today = Math.floor(Date.now() / DAY);
  readonly #directories = new Map<string, OpenDirectory>();

  /**
   * @param database with `fileDigestTables`
   * @param beforeReading called before the bytes of a file are read; what it throws ends the walk
   */
  constructor(database: StateDatabase, beforeReading: () => void) {
    this.#database = database;
    this.#beforeReading = beforeReading;
  }

  /**
   * Looks up a directory.
   * @param directory descriptor of it, good until `close`
   */
  open(directory: number, status: FileStatus): DirectoryDigests {
    const known = this.#directory(status);
    const { files } = known;
    const seen = new Set<ByteString>();
    return {
      find(name, identity) {
        seen.add(name);
        const entry = files.get(name);
        return entry?.identity === identity ? entry.digest : undefined;
      },
      remember(name, before, after, started, digest) {
        const identity = fileIdentity(before);
        const latest = Math.max(milliseconds(before.changed), milliseconds(before.modified));
        if (latest + COARSEST_TIME > started || fileIdentity(after) !== identity) return;
        files.set(name, { identity, digest });
        known.isChanged = true;
      },
      close() {
        if (!known.isChanged) return;
        for (const name of files.keys()) {
          if (!seen.has(name) && typeof statusAt(directory, name) === "number") files.delete(name);
        }
      },
      beforeReading: this.#beforeReading,
    };
  }

  #directory({ fileSystem: device, inode }: FileStatus): OpenDirectory {
    const key = `${device}:${inode}`;
    const open = this.#directories.get(key);
    if (open !== undefined) return open;
    const sql = "SELECT files, used FROM directory_digests WHERE device = ? AND inode = ?";
    const row = this.#database.get<Row>(sql, device, inode);
    const directory: OpenDirectory = {
      device,
      inode,
      files: row === undefined ? new Map() : parseFiles(Buffer.from(row.files)),
      isRecent: row === undefined || row.used === this.#today,
      isChanged: false,
    };
    this.#directories.set(key, directory);
    return directory;
  }

  /** Writes what is new, all of it at once; a database that cannot be written stays as it is. */
  [Symbol.dispose](): void {
    const database = this.#database;
    const written = [...this.#directories.values()].filter(({ isChanged, isRecent }) => isChanged || !isRecent);
    if (database.isReadOnly || written.length === 0) return;
    database.transaction(() => {
      const sql = "INSERT OR REPLACE INTO directory_digests (device, inode, files, used) VALUES (?, ?, ?, ?)";
      for (const { device, inode, files } of written) database.run(sql, device, inode, formatFiles(files), this.#today);
      database.run("DELETE FROM directory_digests WHERE used < ?", this.#today - KEPT_DAYS);
    });
  }
}

function milliseconds({ seconds, nanoseconds }: Timestamp): number {
  return seconds * 1000 + nanoseconds / 1_000_000;
}

function parseFiles(bytes: Buffer): Map<ByteString, KnownFile> {
  const fields = byteStringOf(bytes).split("\0");
  const files = new Map<ByteString, KnownFile>();
  for (let at = 0; at + 2 < fields.length; at += 3) {
    const [name, identity, digest] = [fields[at], fields[at + 1], fields[at + 2]];
    files.set(name as ByteString, { identity: identity ?? "", digest: digest ?? "" });
  }
  return files;
}

function formatFiles(files: ReadonlyMap<ByteString, KnownFile>): Buffer {
  let text = "";
  for (const [name, { identity, digest }] of files) text += `${name}\0${identity}\0${digest}\0`;
  return Buffer.from(text, "latin1");
}
