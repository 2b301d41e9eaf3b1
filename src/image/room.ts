import { statfsSync } from "node:fs";
import { BunkerError } from "../sys/error.ts";

/**
 * Sees to it that what is to come has room, before any of it is asked for.
 * @param directory on the file system where it goes
 * @param bytes that are to come
 * @param name of what they are parts of
 * @throws BunkerError `no_space`
 */
export function checkRoom(directory: string, bytes: number, name: string): void {
  const { bavail, blocks, bsize } = statfsSync(directory);
  // Some file systems do not know.
  if (blocks === 0 || bytes <= bavail * bsize) return;
  const [wanted, left] = [bytes, bavail * bsize].map((size) => Math.round(size / 2 ** 20));
  throw new BunkerError({
    code: "no_space",
    operation: "store",
    object: name,
    reason: `no space: ${wanted} MiB have to arrive, and the file system of ${directory} has ${left} MiB left`,
    hint: "Make space there: bunker system df shows what Bunker takes, bunker system prune removes what is unused.",
  });
}
