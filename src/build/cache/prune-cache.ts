/*
 * What the build cache holds, and taking things out of it.
 *
 * A layer can be taken out when no other layer lies on it and no build uses it; its keys and its packed forms go with it. An
 * image in the store that was built of it may have it as one of its unpacked layers, by a symbolic link: then it takes the
 * link's place, at once (renameat2 with RENAME_EXCHANGE), and belongs to the image store from then on. Containers that use
 * it do so by that path, and notice nothing.
 */
import { closeSync, lstatSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { excludeOthersFromImages } from "../../image/store/images-lock.ts";
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { exchange, Lock, lock } from "../../sys/file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";
import { treeSize } from "../../sys/tree-size.ts";
import { type BuildCache, buildDirectory } from "./build-cache.ts";
import { buildTables } from "./build-tables.ts";
import { bytesToKeep, diskSpace, type SpaceLimits, usualLimits } from "./cache-space.ts";

/** Something that the cache holds. */
export interface CacheRecord {
  readonly id: string;
  readonly type: "regular" | "exec.cachemount";
  /** Layers that it lies on. */
  readonly lower: readonly string[];
  readonly description: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly used: number;
  readonly uses: number;
  /** Whether an image in the store has it too, so that its bytes stay when it is taken out. */
  readonly isShared: boolean;
  /** Whether others lie on it, or a build is using it now. */
  readonly isInUse: boolean;
}

/** Which records are to be taken out. */
export interface PruneWish {
  /** Also those that an image has, too. */
  readonly all: boolean;
  /** Milliseconds since 1970: only what was not used since then. */
  readonly until: number | undefined;
  readonly ids: readonly string[];
  readonly types: readonly string[];
  /** What may stay, of what was used last. */
  readonly space: SpaceLimits;
}

/** What was taken out. */
export interface Pruned {
  readonly ids: readonly string[];
  /** Bytes that became free. */
  readonly reclaimed: number;
}

interface Row {
  readonly id: string;
  readonly description: string;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

/**
 * Lists what the cache holds, what was used last first. The sizes of cache mounts can only be seen by root of the user
 * namespace that they are for.
 * @param measure the bytes of files in a directory
 * @throws BunkerError as `openStateDatabase`
 */
export function listCache(data: string, measure: (path: string) => number = treeSize): CacheRecord[] {
  if (statSync(buildDirectory(data), { throwIfNoEntry: false }) === undefined) return [];
  using state = openStateDatabase(data, [buildTables]);
  const lower = Map.groupBy(
    state.all<{ layer: string; lower: string }>("SELECT layer, lower FROM build_lower ORDER BY layer, position"),
    ({ layer }) => layer,
  );
  const below = new Set([...lower.values()].flatMap((rows) => rows.map((row) => row.lower)));
  const layers = state.all<Row & { size: number; name: string | null }>(
    "SELECT build_layer.*, name FROM build_layer LEFT JOIN build_chain ON layer = id",
  );
  const mounts = state.all<Row>("SELECT * FROM build_mount");
  const records = [
    ...layers.map(({ id, description, size, created, used, uses, name }): CacheRecord => {
      const path = `${buildDirectory(data)}/layers/${id}`;
      return {
        ...{ id, type: "regular", description, size, created, used, uses },
        lower: (lower.get(id) ?? []).map((row) => row.lower),
        isShared: name !== null && isLink(`${data}/layers/${name}`),
        isInUse: below.has(id) || isLocked(path),
      };
    }),
    ...mounts.flatMap(({ id, description, created, used, uses }): CacheRecord[] => {
      const path = `${buildDirectory(data)}/mounts/${id}`;
      if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
      const size = measure(path);
      const common = { id, description, size, created, used, uses };
      return [{ ...common, type: "exec.cachemount", lower: [], isShared: false, isInUse: isLocked(path) }];
    }),
  ];
  return records.sort((one, other) => other.used - one.used);
}

/**
 * Takes records out of the cache, what was not used for longest first; as root of the user namespace that its files are for.
 * @throws BunkerError what removing can meet
 */
export function pruneCache(cache: BuildCache, data: string, wish: PruneWish): Pruned {
  const ids: string[] = [];
  let reclaimed = 0;
  // What others write to the disk meanwhile is not this cache's affair.
  let kept: number | undefined;
  for (;;) {
    const records = listCache(data).reverse();
    // What an image has as well stays on the disk whatever becomes of it here.
    let total = records.reduce((sum, { size, isShared }) => sum + (isShared && !wish.all ? 0 : size), 0);
    kept ??= bytesToKeep(total, wish.space, diskSpace(data));
    let isDone = true;
    for (const record of records) {
      if (total <= kept && kept > 0) break;
      if (record.isInUse || !fits(record, wish) || !remove(cache.state, data, record)) continue;
      total -= record.size;
      ids.push(record.id);
      if (!record.isShared) reclaimed += record.size;
      isDone = false;
    }
    // What one was lying on may go now.
    if (isDone) return { ids, reclaimed };
  }
}

/**
 * Brings the cache back to what it may take of the disk, where it has grown beyond that.
 * @param isRoot whether this process is root of the user namespace that its files are for
 * @throws BunkerError as `pruneCache` and `usualLimits`
 */
export function collectCache(cache: BuildCache, data: string): void {
  const disk = diskSpace(data);
  const limits = usualLimits(disk, process.env);
  if (limits === undefined) return;
  // Walking through all of it takes long; a sum of what was noted does not. It counts too much rather than too little, but
  // for the directories of cache mounts, whose sizes nobody has noted.
  const { size } = cache.state.get<{ size: number }>("SELECT coalesce(sum(size), 0) AS size FROM build_layer") ?? {
    size: 0,
  };
  if (size <= bytesToKeep(size, limits, disk)) return;
  pruneCache(cache, data, { all: false, until: undefined, ids: [], types: [], space: limits });
}

function fits({ id, type, used, isShared }: CacheRecord, { all, until, ids, types }: PruneWish): boolean {
  return (
    (all || !isShared) &&
    (until === undefined || used < until) &&
    (ids.length === 0 || ids.some((each) => id.startsWith(each))) &&
    (types.length === 0 || types.includes(type))
  );
}

/** Returns whether it was removed: somebody may just have begun to use it. */
function remove(state: StateDatabase, data: string, { id, type }: CacheRecord): boolean {
  const kind = type === "regular" ? "layers" : "mounts";
  const path = `${buildDirectory(data)}/${kind}/${id}`;
  // Nobody finds it any more once its row is gone, and nobody uses it while this is locked.
  const descriptor = lockAlone(path);
  if (descriptor === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false;
  const name = state.get<{ name: string }>("SELECT name FROM build_chain WHERE layer = ?", id)?.name;
  try {
    // Nobody removes the image meanwhile. Before the transaction, as everybody takes them.
    using _ = name === undefined ? undefined : excludeOthersFromImages(data);
    const isGone = state.transaction(() => {
      if (type !== "regular") return state.run("DELETE FROM build_mount WHERE id = ?", id) > 0;
      if (state.get("SELECT 1 FROM build_lower WHERE lower = ? LIMIT 1", id) !== undefined) return false;
      if (name !== undefined) giveToImages(`${data}/layers/${name}`, path);
      return state.run("DELETE FROM build_layer WHERE id = ?", id) > 0;
    });
    if (!isGone) return false;
    const doomed = `${buildDirectory(data)}/tmp/${crypto.randomUUID()}`;
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      renameSync(path, doomed);
      removeTree(doomed);
    }
    return true;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Moves a layer to where images that are built of it find it, if there are any. */
function giveToImages(link: string, path: string): void {
  if (!isLink(link)) return;
  check(exchange(encodeText(path), encodeText(link)), "move the layer", path);
  rmSync(path);
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function isLocked(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
  const descriptor = lockAlone(path);
  if (descriptor === undefined) return true;
  closeSync(descriptor);
  return false;
}

/** Locks a directory; undefined when it is not there, or somebody uses it. */
function lockAlone(path: string): number | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const descriptor = openSync(path, "r");
  if (lock(descriptor, Lock.exclusive | Lock.nonBlocking) === 0) return descriptor;
  closeSync(descriptor);
  return undefined;
}
