/*
 * The threads that unpack the layers of an image, beside the one that receives them.
 *
 * A pull keeps two processors busy without any: one thread receives, hashes and reads archives, those of Bun's pool
 * decompress, and a process without JavaScript makes the files (queued-layer-writer.ts). A thread has to be started, and
 * compiles the same code once more, which takes as long as unpacking 2 MiB. So they are only there where there are more
 * than two processors, one for every two of them: then hashing and reading the archives of several layers is shared.
 *
 * A layer is given to the thread that has least to do when its bytes begin to come.
 */
import { availableParallelism } from "node:os";
import { type LayerUnpacker, type UnpackTarget, unpackHere } from "./layer-unpacker.ts";
import { UnpackThread } from "./unpack-thread.ts";
import { UnpackToolbox } from "./unpack-tools.ts";

/** Processors that are busy without threads of ours. */
const MOST_WITHOUT_THREADS = 2;
const MAXIMUM_THREADS = 4;
/** Packed bytes from which on another thread is worth its start, which costs as much as unpacking this. */
const THREAD_SIZE = 2 << 20;

interface BusyThread {
  readonly thread: UnpackThread;
  /** Packed bytes of the layers that it is unpacking. */
  load: number;
}

/** Threads that unpack. */
export class UnpackThreads implements Disposable {
  readonly #threads: BusyThread[] = [];
  /** For the caller's own thread. */
  #toolbox: UnpackToolbox | undefined;

  /**
   * Starts as many as pay; those that were started earlier count.
   * @param sizes of the packed layers that are to be unpacked, in bytes
   */
  start(sizes: readonly number[]): void {
    const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
    if (size < THREAD_SIZE || availableParallelism() <= MOST_WITHOUT_THREADS) return;
    const count = Math.min(sizes.length, Math.ceil(availableParallelism() / 2), MAXIMUM_THREADS);
    while (this.#threads.length < count) this.#threads.push({ thread: new UnpackThread(), load: 0 });
  }

  /**
   * Prepares to unpack a layer on one of the threads, or on the caller's when there are none.
   * @param size bytes of the packed layer
   */
  unpacker(target: UnpackTarget, size: number): LayerUnpacker {
    let unpacker: LayerUnpacker | undefined;
    return {
      unpack: async (source, signal) => {
        const [busy] = this.#threads.toSorted((one, other) => one.load - other.load);
        unpacker = busy?.thread.unpacker(target) ?? this.#unpackHere(target);
        if (busy !== undefined) busy.load += size;
        try {
          await unpacker.unpack(source, signal);
        } finally {
          if (busy !== undefined) busy.load -= size;
        }
      },
      finish: async (lower) => {
        if (unpacker === undefined) throw new Error("a layer was finished before it was unpacked");
        return unpacker.finish(lower);
      },
      lacks: (path) => unpacker?.lacks(path) === true,
    };
  }

  [Symbol.dispose](): void {
    for (const { thread } of this.#threads) thread[Symbol.dispose]();
    this.#toolbox?.[Symbol.dispose]();
  }

  #unpackHere(target: UnpackTarget): LayerUnpacker {
    this.#toolbox ??= new UnpackToolbox(target.root);
    return unpackHere(target, this.#toolbox);
  }
}
