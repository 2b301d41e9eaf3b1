import { mapMemory } from "../../sys/system-call.ts";
import type { Digest } from "../digest.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { OUTPUT_SIZE, type PackedSource } from "./decompress.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { streamLayer } from "./layer-stream.ts";
import { Losses } from "./losses.ts";
import { QueuedLayerWriter } from "./queued-layer-writer.ts";

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

/** Pieces of the archive that are in memory at once: one to be read, one to be filled, and those that are being written. */
const PIECES = 4;

/** Unpacks on the thread of the caller; decompression has its own, and another process makes the files. */
export function unpackHere({ content, mapping, diffId }: UnpackTarget): LayerUnpacker {
  const losses = new Losses();
  let unpacked: QueuedLayerWriter | undefined;
  return {
    async unpack(source, signal) {
      using memory = new DisposableStack();
      const pieces = Array.from({ length: PIECES }, () => memory.use(mapMemory(OUTPUT_SIZE, "private")));
      using writer = new QueuedLayerWriter(content, mapping, (reason, entry) => losses.add(reason, entry));
      const reader = new TarReader(writer);
      const submitted: number[] = [];
      const receive = (bytes: Buffer) => {
        writer.beginPiece(bytes, pieces.find(({ view }) => view.buffer === bytes.buffer)?.address);
        reader.feed(bytes);
        submitted.push(writer.submit());
        // The memory of the piece before the last one is filled next.
        writer.waitFor(submitted.at(1 - PIECES) ?? 0);
      };
      const buffers = pieces.map(({ buffer }) => buffer);
      await streamLayer(source, diffId, receive, signal, buffers);
      reader.finish();
      writer.settle();
      unpacked = writer;
    },
    async finish(lower) {
      if (unpacked === undefined) throw new Error("a layer was finished before it was unpacked");
      unpacked.finish(lower);
      return { size: unpacked.size, losses: losses.messages() };
    },
  };
}
