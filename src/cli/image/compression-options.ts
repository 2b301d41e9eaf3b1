/** How layers are packed when they are pushed; Podman's options. */
import type { Packing } from "../../image/transport/recompressed-reader.ts";
import { BunkerError } from "../../sys/error.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, single } from "../option.ts";
import { type OptionValues, quote } from "../option-table.ts";
import { oneOf } from "../values/choice.ts";
import { levelOf } from "../values/compression.ts";

export const compressionOptions = {
  compression: single({
    name: "compression-format",
    valueName: "gzip|zstd",
    description: "Pack layers anew that are packed otherwise",
    parse: oneOf("gzip", "zstd"),
  }),
  compressionLevel: single({
    name: "compression-level",
    valueName: "LEVEL",
    description: "How hard to pack layers anew: gzip from 1 to 9, zstd from 1 to 22",
    parse: (text) => text,
  }),
  forcesCompression: flag({
    name: "force-compression",
    description: "Pack also those layers anew that are packed in the format already",
  }),
} as const;

/**
 * What the options come to; undefined when layers go as they are.
 * @param names of the options, for messages
 * @throws BunkerError `conflicting_options`, `invalid_value`
 */
export function packingOf(
  options: OptionValues<typeof compressionOptions>,
  names: Readonly<Record<keyof typeof compressionOptions, { readonly name: string }>> = compressionOptions,
): Packing | undefined {
  const { compression, compressionLevel, forcesCompression } = options;
  if (compression === undefined) {
    if (compressionLevel === undefined && !forcesCompression) return undefined;
    const { name } = forcesCompression ? names.forcesCompression : names.compressionLevel;
    throw new BunkerError({ code: "conflicting_options", operation: `--${name} needs --${names.compression.name}` });
  }
  try {
    return { compression, level: levelOf(compressionLevel, compression), layers: forcesCompression ? "all" : "others" };
  } catch (cause) {
    if (!(cause instanceof InvalidValue)) throw cause;
    const operation = `invalid value ${quote(compressionLevel ?? "")} for --${names.compressionLevel.name}: ${cause.message}`;
    throw new BunkerError({ code: "invalid_value", operation }, { cause });
  }
}
