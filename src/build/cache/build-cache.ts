/*
 * The build cache: what steps of builds have made, found again by what they have been made of.
 *
 *   <data>/build/layers/<id>/diff    what a step has changed, in the form of overlayfs; never written again
 *   <data>/build/layers/<id>/size    bytes of its files, as beside every unpacked layer
 *   <data>/build/mounts/<id>/data    what RUN --mount=type=cache keeps
 *   <data>/build/tmp, lock           what is being made; image/layers/store-lock.ts
 *   <data>/build/locks/<key>         held while a step is being executed; key-lock.ts
 *   <data>/state.db                  build-tables.ts
 *
 * A layer grows in `tmp/`, is renamed to its place, and then gets its row: whatever is killed, a row means a whole layer. A
 * power cut is another matter, since nothing waits for the disk while a build runs. So a row says in which boot it was
 * written, until the build, at its end, has brought everything to the disk; rows of an earlier boot that lack that are
 * not believed, and removed by the next build.
 *
 * The key of a step is a digest of what it does, of the keys of what it lies on, and of the content that it copies
 * (graph/step.ts); several keys may come to the same layer. A layer knows those it lies on, so the last step's key is enough
 * to find a whole stage.
 *
 * Whoever uses a layer holds a shared lock (flock) on its directory, by a descriptor that is kept until the build ends;
 * whoever removes it needs the lock exclusively.
 */
import { closeSync, lstatSync, mkdirSync, openSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import type { Digest } from "../../image/digest.ts";
import { type LayerMapping, SIZE_FILE } from "../../image/layers/layer-directory.ts";
import { lockStore, type StoreLock } from "../../image/layers/store-lock.ts";
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { Lock, lock, synchronizeFileSystem } from "../../sys/file.ts";
import { makeSharedDirectory } from "../../sys/named-file.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";
import { treeSize } from "../../sys/tree-size.ts";
import { needRoot } from "../hand-over.ts";
import { buildTables } from "./build-tables.ts";

/** A layer of the cache. */
export interface BuiltLayer {
  readonly id: string;
  /** What has made it, for people. */
  readonly description: string;
  readonly size: number;
  readonly created: number;
  /** Where its files are. */
  readonly directory: string;
}

/** A layer packed in some form. */
export interface BuiltBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
}

/** What a step has to say of the layer that it has made. */
export interface NewLayer {
  /** A directory in `tmp/` with the layer's files in `diff`; it becomes the cache's. */
  readonly staging: string;
  /** The layers that it lies on, from the lowest to the uppermost. */
  readonly lower: readonly BuiltLayer[];
  readonly description: string;
  /** All keys that are to come to it; they may have come to another one before. */
  readonly keys: readonly Digest[];
  /** When it was made, in milliseconds since 1970; now unless given. */
  readonly created?: number;
}

interface LayerRow {
  readonly id: string;
  readonly description: string;
  readonly size: number;
  readonly created: number;
  readonly boot: string | null;
}

/** An open build cache; to find something in it one need not be root of the user namespace that its files are for. */
export class BuildCache implements Disposable {
  readonly directory: string;
  readonly state: StateDatabase;
  readonly #mapping: LayerMapping;
  readonly #storeLock: StoreLock;
  readonly #open: DisposableStack;
  readonly #boot = (readIfThere("/proc/sys/kernel/random/boot_id") ?? "").trim();
  /** Descriptors of the layers in use, by their ids. */
  readonly #used = new Map<string, number>();
  #hasNew = false;

  /**
   * @param data Bunker's data directory
   * @param mapping of the files of its layers
   * @param isRoot whether this process is root of the user namespace that those are for
   * @throws BunkerError as `lockStore` and `openStateDatabase`; HandOver when a crash has left layers to be removed
   */
  constructor(data: string, mapping: LayerMapping = "full", isRoot = true) {
    this.#mapping = mapping;
    this.directory = buildDirectory(data);
    using cleanup = new DisposableStack();
    this.#storeLock = cleanup.use(lockStore(this.directory));
    for (const name of ["locks", "mounts"]) mkdirSync(`${this.directory}/${name}`, { recursive: true, mode: 0o700 });
    this.state = cleanup.use(openStateDatabase(data, [buildTables]));
    this.#forgetUnwritten(isRoot);
    this.#open = cleanup.move();
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#used.values()) closeSync(descriptor);
    this.#open.dispose();
  }

  /** Where directories of one's own are made. */
  get stagingPath(): string {
    return this.#storeLock.stagingPath;
  }

  /** Makes a new directory of one's own in `tmp/`, open to those who are root in a container of another id map. */
  makeStaging(): string {
    const path = `${this.#storeLock.stagingPath}/${crypto.randomUUID()}`;
    makeSharedDirectory(path, 0o755);
    return path;
  }

  /**
   * Finds the layer that a key comes to, and holds it until the cache is disposed of, with those below it.
   * @returns from the lowest to the uppermost; undefined when there is none, or one of them has gone
   */
  find(key: Digest): readonly BuiltLayer[] | undefined {
    const found = this.state.get<{ layer: string }>("SELECT layer FROM build_key WHERE key = ?", this.#keyText(key));
    return found === undefined ? undefined : this.#hold(found.layer);
  }

  /** Lets one more key come to a layer. */
  addKey(key: Digest, layer: BuiltLayer): void {
    this.#putKey(key, layer.id);
  }

  /** Finds a layer by what it is and lies on, if it was packed once, and holds it. */
  findArchive(lower: readonly BuiltLayer[], diffId: Digest): BuiltLayer | undefined {
    // One that was packed with the times of its files, and no others.
    const found = this.state.all<{ layer: string }>(
      "SELECT DISTINCT layer FROM build_blob WHERE diff_id = ? AND form LIKE '%:'",
      diffId,
    );
    const wanted = lower.map(({ id }) => id).join();
    for (const { layer } of found) {
      const held = this.#hold(layer) ?? [];
      const isSame =
        held
          .slice(0, -1)
          .map(({ id }) => id)
          .join() === wanted;
      if (isSame && held.length > 0) return held.at(-1);
    }
    return undefined;
  }

  /**
   * Takes over what a step has made.
   * @returns the layer, held
   */
  add({ staging, lower, description, keys, created }: NewLayer): BuiltLayer {
    const id = crypto.randomUUID();
    const size = treeSize(`${staging}/diff`);
    writeFileSync(`${staging}/${SIZE_FILE}`, String(size));
    renameSync(staging, this.#layerPath(id));
    // Before anybody who prunes can find it.
    this.#lockLayer(id);
    const now = Date.now();
    this.state.transaction(() => {
      this.state.run(
        "INSERT INTO build_layer (id, description, size, created, used, uses, boot) VALUES (?, ?, ?, ?, ?, 0, ?)",
        ...[id, description, size, created ?? now, now, this.#boot],
      );
      for (const [position, below] of lower.entries()) {
        this.state.run("INSERT INTO build_lower VALUES (?, ?, ?)", id, position, below.id);
      }
      for (const key of keys) this.#putKey(key, id);
    });
    this.#hasNew = true;
    return { id, description, size, created: created ?? now, directory: `${this.#layerPath(id)}/diff` };
  }

  /** Notes that a build has used layers. */
  noteUse(layers: readonly BuiltLayer[]): void {
    const now = Date.now();
    this.state.transaction(() => {
      for (const { id } of layers)
        this.state.run("UPDATE build_layer SET used = ?, uses = uses + 1 WHERE id = ?", now, id);
    });
  }

  /** The packed form of a layer, if that was made once; whether its bytes are still there is another question. */
  findBlob({ id }: BuiltLayer, form: string): BuiltBlob | undefined {
    const row = this.state.get<{ media_type: string; digest: Digest; size: number; diff_id: Digest }>(
      "SELECT * FROM build_blob WHERE layer = ? AND form = ?",
      ...[id, form],
    );
    return row && { mediaType: row.media_type, digest: row.digest, size: row.size, diffId: row.diff_id };
  }

  /** Notes what the packed form of a layer is. */
  noteBlob({ id }: BuiltLayer, form: string, { mediaType, digest, size, diffId }: BuiltBlob): void {
    this.state.run(
      "INSERT OR REPLACE INTO build_blob VALUES (?, ?, ?, ?, ?, ?)",
      ...[id, form, mediaType, digest, size, diffId],
    );
  }

  /**
   * Lets a layer be found among the unpacked layers of images, by a link that leads to it; by one name only, since it will
   * have to be moved there when the cache is to forget it and an image is not.
   * @param directory of the unpacked layers
   */
  share({ id }: BuiltLayer, directory: string, name: string): void {
    const statusOf = (each: string) => lstatSync(`${directory}/${each}`, { throwIfNoEntry: false });
    const isNeedless = () => {
      const known = this.state.get<{ name: string }>("SELECT name FROM build_chain WHERE layer = ?", id);
      const isShared = known !== undefined && statusOf(known.name)?.isSymbolicLink() === true;
      return isShared || statusOf(name) !== undefined;
    };
    if (isNeedless()) return;
    this.state.transaction(() => {
      // Another build may have given it another name meanwhile.
      if (isNeedless()) return;
      this.state.run("INSERT OR REPLACE INTO build_chain VALUES (?, ?)", id, name);
      try {
        symlinkSync(`../build/layers/${id}`, `${directory}/${name}`);
      } catch (error) {
        // Somebody has unpacked it meanwhile.
        if (errnoOf(error) !== Errno.EEXIST) throw error;
      }
    });
  }

  /** Notes that the directory of a cache mount is used. */
  noteMount(id: string, description: string): void {
    const now = Date.now();
    this.state.run(
      `INSERT INTO build_mount (id, description, created, used, uses) VALUES (?, ?, ?, ?, 1)
       ON CONFLICT DO UPDATE SET used = excluded.used, uses = uses + 1`,
      ...[id, description, now, now],
    );
  }

  /** Brings everything that this build has made to the disk, from when on it also survives a power cut. */
  synchronize(): void {
    if (!this.#hasNew) return;
    check(synchronizeFileSystem(this.#storeLock.staging.number), "write to disk", this.directory);
    const layers = [...this.#used.keys()];
    this.state.transaction(() => {
      for (const id of layers) this.state.run("UPDATE build_layer SET boot = NULL WHERE id = ?", id);
    });
    this.#hasNew = false;
  }

  #putKey(key: Digest, id: string): void {
    this.state.run("INSERT OR REPLACE INTO build_key VALUES (?, ?)", this.#keyText(key), id);
  }

  /** A key is the same everywhere; files with the owners of another mapping are of no use. */
  #keyText(key: Digest): string {
    return this.#mapping === "full" ? key : `${key} ${this.#mapping}`;
  }

  #layerPath(id: string): string {
    return `${this.directory}/layers/${id}`;
  }

  #hold(id: string): readonly BuiltLayer[] | undefined {
    const lower = this.state.all<{ lower: string }>(
      "SELECT lower FROM build_lower WHERE layer = ? ORDER BY position",
      id,
    );
    const held: BuiltLayer[] = [];
    for (const each of [...lower.map(({ lower }) => lower), id]) {
      if (!this.#lockLayer(each)) return undefined;
      // Only now it is sure to stay.
      const row = this.state.get<LayerRow>("SELECT * FROM build_layer WHERE id = ?", each);
      if (row === undefined) return undefined;
      const { description, size, created } = row;
      held.push({ id: each, description, size, created, directory: `${this.#layerPath(each)}/diff` });
    }
    return held;
  }

  /** Returns whether the layer is there. */
  #lockLayer(id: string): boolean {
    if (this.#used.has(id)) return true;
    let descriptor: number;
    try {
      descriptor = openSync(this.#layerPath(id), "r");
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) return false;
      throw error;
    }
    // Whoever has it exclusively is removing it.
    if (lock(descriptor, Lock.shared | Lock.nonBlocking) < 0) {
      closeSync(descriptor);
      return false;
    }
    this.#used.set(id, descriptor);
    return true;
  }

  /** Forgets what a crash of the machine may have damaged; with it goes what lies on it. */
  #forgetUnwritten(isRoot: boolean): void {
    const isDoubtful = "SELECT id FROM build_layer WHERE boot IS NOT NULL AND boot <> ?";
    if (this.state.get(`${isDoubtful} LIMIT 1`, this.#boot) === undefined) return;
    needRoot({ isRoot });
    const doomed = this.state.transaction(() => {
      const rows = this.state.all<{ id: string }>(
        `WITH RECURSIVE doubtful(id) AS (${isDoubtful}
         UNION SELECT layer FROM build_lower JOIN doubtful ON lower = doubtful.id) SELECT id FROM doubtful`,
        this.#boot,
      );
      this.state.run("PRAGMA defer_foreign_keys = ON");
      for (const { id } of rows) this.state.run("DELETE FROM build_layer WHERE id = ?", id);
      return rows;
    });
    for (const { id } of doomed) removeTree(this.#layerPath(id));
  }
}

/** Where the build cache lies. */
export function buildDirectory(data: string): string {
  return `${data}/build`;
}
