import type { RootNamespace } from "../../runtime/root-namespace.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { compileReadily, compileReluctantly } from "../../sys/just-in-time.ts";
import type { Digest } from "../digest.ts";
import { TarReader } from "../tar/tar-reader.ts";
import type { PackedSource } from "./decompress.ts";
import type { LowerLayer } from "./implicit-directory.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { streamLayer } from "./layer-stream.ts";
import { Losses } from "./losses.ts";
import { QueuedLayerWriter } from "./queued-layer-writer.ts";
import { PIECES, type UnpackToolbox } from "./unpack-tools.ts";

/** Pieces of an archive after which what is called for each entry has been compiled once. */
const FIRST_PIECES = 2;

/** A layer that is to be unpacked, in a form that other threads understand as well. */
export interface UnpackTarget {
  /** Descriptor of the layer's empty directory, open for reading. */
  readonly content: number;
  readonly mapping: LayerMapping;
  readonly diffId: Digest;
  /** Whose root makes the files; undefined for a caller who is root. */
  readonly root: RootNamespace | undefined;
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
   * @param lower the layers below, the nearest first
   */
  finish(lower: readonly LowerLayer[]): Promise<UnpackedLayer>;
  /** Whether it is known here, of a layer that was unpacked, that it has nothing at a path; see `LowerLayer`. */
  lacks(path: ByteString): boolean;
}

/**
 * Unpacks on the thread of the caller; decompression has its own, and another process makes the files.
 * @param toolbox stays the caller's
 */
export function unpackHere({ content, mapping, diffId }: UnpackTarget, toolbox: UnpackToolbox): LayerUnpacker {
  const losses = new Losses();
  let unpacked: QueuedLayerWriter | undefined;
  return {
    unpack: (source, signal) =>
      toolbox.lend(async (tools) => {
        using writer = new QueuedLayerWriter(
          content,
          mapping,
          (reason, entry) => losses.add(reason, entry),
          tools.maker,
          toolbox.root,
        );
        const reader = new TarReader(writer);
        const submitted: number[] = [];
        const receive = (bytes: Buffer) => {
          writer.beginPiece(bytes, tools.addressOf(bytes));
          reader.feed(bytes);
          submitted.push(writer.submit());
          if (submitted.length === FIRST_PIECES) compileReluctantly();
          // The memory of the piece before the last one is filled next.
          writer.waitFor(submitted.at(1 - PIECES) ?? 0);
        };
        await streamLayer(source, diffId, receive, signal, tools.buffers);
        reader.finish();
        writer.settle();
        unpacked = writer;
      }),
    async finish(lower) {
      if (unpacked === undefined) throw new Error("a layer was finished before it was unpacked");
      compileReadily();
      unpacked.finish(lower);
      return { size: unpacked.size, losses: losses.messages() };
    },
    lacks: (path) => unpacked?.lacks(path) === true,
  };
}
