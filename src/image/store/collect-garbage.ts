/*
 * Removing what no image needs: blobs and unpacked layers that cannot be reached from any row of the database.
 *
 * It happens while nobody relies on the store (images.lock), and inside of a transaction, so no image comes to need
 * something meanwhile. Writers that found a blob in the store and have not committed yet are not waited for: they hold a
 * link of their own to it; see blob-staging.ts. A layer gets a name that is nobody's, and is removed when the locks are
 * free again, because that may take long. Whoever is killed before leaves it to the next one. It stays in its parent: to
 * move a directory to another takes the right to write in it, which only root of the id map has that made it.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { Lock, lock } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";
import type { Digest } from "../digest.ts";
import { layerLockPath, layerName } from "../layers/layer-directory.ts";
import { openLock } from "../layers/store-lock.ts";
import { blobPath } from "../layout-files.ts";
import type { ImageStore } from "./image-store.ts";
import { excludeOthersFromImages } from "./images-lock.ts";
import { addReachableBlobs } from "./reachable-blobs.ts";

/** What the names of layers begin with that are being removed. */
const REMOVED_PREFIX = "removed-";

/** How long an interrupted download may wait for being continued; milliseconds. */
const LONGEST_INTERRUPTION = 7 * 24 * 60 * 60 * 1000;

/** What the store cannot know of those who use it. */
export interface StoreUsers {
  /** The chain ids of layers that containers lie on, whether their image still exists or not. */
  readonly layersInUse: () => Iterable<Digest>;
  /** Removes a directory whose files may belong to subordinate ids. */
  readonly removeTree: (path: string) => void;
}

/** What was removed. */
export interface Garbage {
  /** Chain ids of unpacked layers. */
  readonly layers: readonly Digest[];
  readonly blobs: readonly Digest[];
  /** Bytes of the blobs. */
  readonly blobSize: number;
}

/**
 * Removes what no image and no container needs.
 * @throws BunkerError `store_read_only` and what removing can meet
 */
export function collectGarbage(store: ImageStore, users: StoreUsers): Garbage {
  const doomed: string[] = [];
  const garbage = removeUnreachable(store, users, doomed);
  for (const path of doomed) users.removeTree(path);
  for (const layerStore of layerStores(store.directory)) sweepStaging(layerStore, users);
  removeStaleDownloads(`${store.directory}/partial`);
  return garbage;
}

/**
 * Removes what the dead have left in `tmp/`, and the lock files of layers there, unless somebody is at work; see
 * store-lock.ts.
 */
function sweepStaging(layerStore: string, users: StoreUsers): void {
  using file = openLock(`${layerStore}/lock`);
  if (lock(file.number, Lock.exclusive | Lock.nonBlocking) < 0) return;
  for (const name of namesIn(`${layerStore}/tmp`)) users.removeTree(`${layerStore}/tmp/${name}`);
}

function removeUnreachable(store: ImageStore, users: StoreUsers, doomed: string[]): Garbage {
  const { directory } = store;
  using _ = excludeOthersFromImages(directory);
  // Before the transaction: whoever says it may want to write himself.
  const inUse = [...users.layersInUse()];
  return store.state.transaction(() => {
    const reachable = reachableDigests(store);
    const kept = [...store.own().flatMap(({ layers }) => layers.map(({ chainId }) => chainId)), ...inUse];
    const keptNames = new Set(
      kept.flatMap((chainId) => {
        const identity = { chainId, diffId: chainId };
        return [layerName(identity, "full"), layerName(identity, "single")];
      }),
    );
    const layers = layerStores(directory).flatMap((layerStore) =>
      namesIn(`${layerStore}/layers`)
        .filter((name) => !keptNames.has(name) && takeLayer(layerStore, name, doomed))
        .map((name) => name.replace("-", ":").replace(/-single$/, "") as Digest),
    );
    const blobs = ["sha256", "sha512"].flatMap((algorithm) =>
      namesIn(`${directory}/blobs/${algorithm}`)
        .map((name) => `${algorithm}:${name}` as Digest)
        .filter((digest) => !reachable.has(digest)),
    );
    // Whoever took the rows away may not have come to index.json, and nothing may be missing of what it names.
    if (blobs.length > 0) store.writeIndex();
    let blobSize = 0;
    for (const digest of blobs) {
      const path = `${directory}/${blobPath(digest)}`;
      blobSize += statSync(path).size;
      rmSync(path);
    }
    return { layers: [...new Set(layers)], blobs, blobSize };
  });
}

/**
 * Takes a layer out of a store, unless somebody who unpacks a layer above it holds its lock.
 * @returns whether it was taken now
 */
function takeLayer(layerStore: string, name: string, doomed: string[]): boolean {
  if (name.startsWith(REMOVED_PREFIX)) {
    doomed.push(`${layerStore}/layers/${name}`);
    return false;
  }
  const staging = `${layerStore}/tmp`;
  mkdirSync(staging, { recursive: true, mode: 0o700 });
  // While this is held nobody sweeps the lock of the layer away.
  using storeLock = openLock(`${layerStore}/lock`);
  check(lock(storeLock.number, Lock.shared), "lock", layerStore);
  using layerLock = openLock(layerLockPath(staging, name));
  if (lock(layerLock.number, Lock.exclusive | Lock.nonBlocking) < 0) return false;
  const path = `${layerStore}/layers/${REMOVED_PREFIX}${crypto.randomUUID()}`;
  renameSync(`${layerStore}/layers/${name}`, path);
  doomed.push(path);
  return true;
}

/** The stores of unpacked layers: for the usual id map, and for others. */
function layerStores(directory: string): string[] {
  return [directory, ...namesIn(`${directory}/keep-id`).map((name) => `${directory}/keep-id/${name}`)];
}

function namesIn(directory: string): string[] {
  return statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory);
}

/** All blobs that images, names and lists mean; of an index also what it names, as far as it is here. */
function reachableDigests(store: ImageStore): Set<Digest> {
  const rows = store.state.all<{ digest: Digest; media_type: string }>(
    `SELECT manifest AS digest, '' AS media_type FROM image UNION SELECT id, '' FROM image
     UNION SELECT digest, '' FROM layer UNION SELECT digest, '' FROM repository_digest
     UNION SELECT target, target_media_type FROM name`,
  );
  const reachable = new Set<Digest>();
  const seen = new Set<Digest>();
  for (const { digest, media_type: mediaType } of rows)
    addReachableBlobs(store, { digest, mediaType }, reachable, seen);
  return reachable;
}

/** Removes downloads that nobody has continued for long; what is locked is being continued just now. */
function removeStaleDownloads(directory: string): void {
  for (const name of namesIn(directory)) {
    const path = `${directory}/${name}`;
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined || Date.now() - status.mtimeMs < LONGEST_INTERRUPTION) continue;
    using file = openLock(path);
    if (lock(file.number, Lock.exclusive | Lock.nonBlocking) === 0) rmSync(path, { force: true });
  }
}
