/*
 * How much the build cache may take of the disk, in BuildKit's terms. What is reserved for it always stays; beyond that it
 * may grow to its maximum, as long as enough of the disk is free.
 *
 * After each build the cache is brought back to the usual sizes: the maximum is three quarters of the disk but not more than
 * 100 GB, a fifth of the disk is to be free, and a tenth of it but not more than 10 GB is reserved. BUNKER_BUILD_CACHE_SIZE
 * says another maximum, or `unlimited`. What was not used for longest goes first; what an image has too is not counted.
 */
import { statfsSync } from "node:fs";
import { parseByteCount } from "../../notation/byte-count.ts";
import { BunkerError } from "../../sys/error.ts";

/** Bytes; undefined for what nothing is said of. */
export interface SpaceLimits {
  readonly reserved: number | undefined;
  readonly maximum: number | undefined;
  /** Of the disk. */
  readonly free: number | undefined;
}

/** Nothing may stay. */
export const WITHOUT_LIMITS: SpaceLimits = { reserved: undefined, maximum: undefined, free: undefined };

/** A disk, in bytes. */
export interface DiskSpace {
  readonly size: number;
  readonly free: number;
}

const GIGABYTE = 1_000_000_000;
const VARIABLE = "BUNKER_BUILD_CACHE_SIZE";

/**
 * How many bytes may stay in the cache; nothing where no limit is said.
 * @param used by what is in it
 */
export function bytesToKeep(
  used: number,
  { reserved, maximum, free }: SpaceLimits,
  disk: Pick<DiskSpace, "free">,
): number {
  const missing = free === undefined ? 0 : Math.max(0, free - disk.free);
  const unlimited = free === undefined ? 0 : used;
  return Math.max(Math.min(maximum ?? unlimited, used) - missing, reserved ?? 0, 0);
}

/** The disk that a directory is on; statfs(2), with what an ordinary user may still take of it. */
export function diskSpace(directory: string): DiskSpace {
  const { bsize, blocks, bavail } = statfsSync(directory);
  return { size: blocks * bsize, free: bavail * bsize };
}

/**
 * What the cache may take without being asked.
 * @returns undefined where it may grow as it likes
 * @throws BunkerError `invalid_environment`
 */
export function usualLimits(
  { size }: Pick<DiskSpace, "size">,
  environment: Readonly<Record<string, string | undefined>>,
): SpaceLimits | undefined {
  const text = environment[VARIABLE] ?? "";
  if (text === "unlimited") return undefined;
  if (text !== "") return { reserved: 0, maximum: givenSize(text), free: undefined };
  return {
    reserved: Math.min(0.1 * size, 10 * GIGABYTE),
    maximum: Math.min(0.75 * size, 100 * GIGABYTE),
    free: 0.2 * size,
  };
}

function givenSize(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes !== undefined) return bytes;
  throw new BunkerError({
    code: "invalid_environment",
    operation: `read ${VARIABLE}`,
    object: JSON.stringify(text),
    reason: "expected a size such as 20g, or unlimited",
    exitStatus: 1,
  });
}
