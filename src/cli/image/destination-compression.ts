/** How layers are packed at the destination of a copy; skopeo's options. */
import type { Packing } from "../../image/transport/recompressed-reader.ts";
import { BunkerError } from "../../sys/error.ts";
import { flag } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { compressionOptions, packingOf } from "./compression-options.ts";

export const destinationCompressionOptions = {
  compresses: flag({ name: "dest-compress", description: "Pack layers that are not packed, with gzip" }),
  compression: { ...compressionOptions.compression, name: "dest-compress-format" },
  compressionLevel: { ...compressionOptions.compressionLevel, name: "dest-compress-level" },
  forcesCompression: { ...compressionOptions.forcesCompression, name: "dest-force-compress-format" },
  decompresses: flag({ name: "dest-decompress", description: "Write layers without compression" }),
} as const;

/**
 * What the options come to; undefined when layers go as they are.
 * @throws BunkerError `conflicting_options`, `invalid_value`
 */
export function destinationPackingOf(options: OptionValues<typeof destinationCompressionOptions>): Packing | undefined {
  const { compresses, compression, decompresses } = options;
  const packing = packingOf(
    { ...options, compression: compression ?? (compresses ? "gzip" : undefined) },
    destinationCompressionOptions,
  );
  if (decompresses) {
    if (packing === undefined) return { compression: "none", level: undefined, layers: "others" };
    const operation = "--dest-decompress and the options that compress exclude each other";
    throw new BunkerError({ code: "conflicting_options", operation });
  }
  if (packing === undefined || compression !== undefined || packing.layers === "all") return packing;
  return { ...packing, layers: "plain" };
}
