import { Lock, lock } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";
import { makeStoreDirectory, openLock } from "../layers/store-lock.ts";

/**
 * Holds off whoever removes images and layers, until it is disposed of: from looking something up until it is recorded
 * that it is used.
 * @param directory the data directory; made when it is missing
 * @throws BunkerError `store_unusable`, `system_call_failed`
 */
export function relyOnImages(directory: string): Disposable {
  return lockImages(directory, Lock.shared);
}

/** Waits until nobody relies on images and layers, and lets nobody begin to. Throws as `relyOnImages`. */
export function excludeOthersFromImages(directory: string): Disposable {
  return lockImages(directory, Lock.exclusive);
}

function lockImages(directory: string, operation: number): Disposable {
  makeStoreDirectory(directory);
  const path = `${directory}/images.lock`;
  const file = openLock(path);
  check(lock(file.number, operation), "lock", path);
  return { [Symbol.dispose]: () => file.close() };
}
