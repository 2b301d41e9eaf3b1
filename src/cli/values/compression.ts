import type { Compression } from "../../image/layers/decompress.ts";
import { InvalidValue } from "../invalid-value.ts";

/** The names of ways to pack layers. */
export const compressions: Readonly<Record<string, Compression>> = { gzip: "gzip", zstd: "zstd", uncompressed: "none" };
const HIGHEST_LEVEL: Readonly<Record<Compression, number>> = { gzip: 9, zstd: 22, none: 0 };

/**
 * Reads the level of a compression.
 * @throws InvalidValue
 */
export function levelOf(text: string | undefined, compression: Compression): number | undefined {
  if (text === undefined) return undefined;
  const highest = HIGHEST_LEVEL[compression];
  const level = Number(text);
  if (!/^\d+$/.test(text) || level < 1 || level > highest) {
    throw new InvalidValue(highest === 0 ? "what is uncompressed has no level" : `the level is from 1 to ${highest}`);
  }
  return level;
}
