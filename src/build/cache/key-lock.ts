/*
 * Only one process executes a step at a time: `<data>/build/locks/<key>`, locked with flock(2) while it does. Others wait,
 * and then find the result in the cache, or begin themselves where there is none. They ask again and again instead of
 * waiting in flock, which would stop everything else of their build. A lock's file is removed by whoever gives it back; so
 * one that is got counts only if its name still leads to it.
 */
import { fstatSync, rmSync, statSync } from "node:fs";
import { type Digest, splitDigest } from "../../image/digest.ts";
import { openLock, waitAMoment } from "../../image/layers/store-lock.ts";
import { Lock, lock } from "../../sys/file.ts";

/**
 * Waits until no other process executes a step.
 * @param directory of the build cache
 * @param onWait is told, once, that somebody else is at it
 * @throws the reason of `signal`
 */
export async function lockKey(
  directory: string,
  key: Digest,
  signal: AbortSignal,
  onWait: () => void,
): Promise<Disposable> {
  const path = `${directory}/locks/${splitDigest(key).hex}`;
  for (let isFirst = true; ; isFirst = false) {
    signal.throwIfAborted();
    const file = openLock(path);
    const isLocked = lock(file.number, Lock.exclusive | Lock.nonBlocking) === 0;
    if (isLocked && statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file.number).ino) {
      return {
        [Symbol.dispose]: () => {
          rmSync(path, { force: true });
          file.close();
        },
      };
    }
    file.close();
    if (isLocked) continue;
    if (isFirst) onWait();
    await waitAMoment(signal);
  }
}
