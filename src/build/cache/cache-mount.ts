/*
 * The directories of RUN --mount=type=cache: `<data>/build/mounts/<id>/data`, one for each id, and with `private` as many as
 * are in use at the same time. Each is locked by its own directory (flock): by one command alone for `locked` and
 * `private`, by any number of them for `shared`. Whoever removes it needs it alone.
 */
import { closeSync, existsSync, mkdirSync, openSync, renameSync } from "node:fs";
import { waitAMoment } from "../../image/layers/store-lock.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { Lock, lock } from "../../sys/file.ts";
import type { BuildCache } from "./build-cache.ts";

/** Which directory is wanted. */
export interface CacheMountRequest {
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  /**
   * Makes the directory when there is none yet.
   * @param path where, in a place of its own; it is moved to its own afterwards
   */
  readonly make: (path: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A directory that may be used until this is disposed of. */
export interface CacheMount extends Disposable {
  readonly path: string;
}

/**
 * Takes the directory of a cache mount, waiting for others who use it where they may not use it together.
 * @throws what `make` throws, and the reason of `signal`
 */
export async function takeCacheMount(cache: BuildCache, request: CacheMountRequest): Promise<CacheMount> {
  const { id, sharing, make, signal } = request;
  const name = new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 32);
  const operation = (sharing === "shared" ? Lock.shared : Lock.exclusive) | Lock.nonBlocking;
  for (let number = 0; ; ) {
    signal.throwIfAborted();
    const own = number === 0 ? name : `${name}-${number}`;
    const directory = `${cache.directory}/mounts/${own}`;
    if (!existsSync(directory)) await makeDirectory(cache, directory, make);
    const descriptor = openIfThere(directory);
    if (descriptor === undefined) continue;
    // One that was removed meanwhile is nobody's any more.
    if (lock(descriptor, operation) === 0 && existsSync(`${directory}/data`)) {
      cache.noteMount(own, id);
      return { path: `${directory}/data`, [Symbol.dispose]: () => closeSync(descriptor) };
    }
    closeSync(descriptor);
    if (sharing === "private") number++;
    else await waitAMoment(signal);
  }
}

async function makeDirectory(cache: BuildCache, directory: string, make: (path: string) => Promise<void>) {
  const staging = cache.makeStaging();
  await make(`${staging}/data`);
  if (!existsSync(`${staging}/data`)) mkdirSync(`${staging}/data`);
  try {
    renameSync(staging, directory);
  } catch (error) {
    // Another command has been faster; the staging is swept.
    const errno = errnoOf(error);
    if (errno !== Errno.ENOTEMPTY && errno !== Errno.EEXIST) throw error;
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
}
