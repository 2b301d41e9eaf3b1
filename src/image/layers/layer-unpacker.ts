import type { Digest } from "../digest.ts";
import { TarReader } from "../tar/tar-reader.ts";
import type { PackedSource } from "./decompress.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { streamLayer } from "./layer-stream.ts";
import { LayerWriter } from "./layer-writer.ts";
import { Losses } from "./losses.ts";

/** A layer that is to be unpacked, in a form that other threads understand as well. */
export interface UnpackTarget {
  /** Descriptor of the layer's empty directory, open for reading. */
  readonly content: number;
  readonly mapping: LayerMapping;
  readonly diffId: Digest;
}

/** What there is to say of a layer that was unpacked. */
export interface UnpackedLayer {
  /** Bytes of all files, as their lengths say. */
  readonly size: number;
  /** What could not be kept, one sentence for each reason. */
  readonly losses: readonly string[];
}

/** Makes files of one layer. */
export interface LayerUnpacker {
  /**
   * Verifies the layer and makes its files; to be called once.
   * @param source the packed bytes; read to their end
   * @param signal ends it early
   * @throws BunkerError as `streamLayer`, `TarReader` and `LayerWriter` do; and what `source` throws
   */
  unpack(source: PackedSource, signal: AbortSignal): Promise<void>;
  /**
   * Gives the directories what belongs to them, after all files are there.
   * @param lower descriptors of the directories of the layers below, the nearest first
   */
  finish(lower: readonly number[]): Promise<UnpackedLayer>;
}

/** Unpacks on the thread of the caller; decompression has its own. */
export function unpackHere({ content, mapping, diffId }: UnpackTarget): LayerUnpacker {
  const losses = new Losses();
  const writer = new LayerWriter(content, mapping, (reason, entry) => losses.add(reason, entry));
  return {
    async unpack(source, signal) {
      using _ = writer;
      const reader = new TarReader(writer);
      await streamLayer(source, diffId, (bytes) => reader.feed(bytes), signal);
      reader.finish();
    },
    async finish(lower) {
      writer.finish(lower);
      return { size: writer.size, losses: losses.messages() };
    },
  };
}
