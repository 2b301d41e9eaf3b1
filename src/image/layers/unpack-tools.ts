/*
 * What a layer is unpacked with: the process that makes files, and memory for pieces of the archive.
 *
 * A layer of 2 MiB is unpacked in 20 ms. Starting a process, and above all the first touch of nine megabytes of memory,
 * would be a good part of that, for each layer once more. So the tools are handed on from one layer to the next, and
 * there are as many as layers that are unpacked at the same time.
 */
import { RootCalls } from "../../runtime/root-calls.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { mapHugePages } from "../../sys/huge-pages.ts";
import type { MappedMemory } from "../../sys/system-call.ts";
import { type DecompressionBuffers, INPUT_SIZE, OUTPUT_SIZE } from "./decompress.ts";
import { FileMaker } from "./file-maker.ts";

/** Pieces of the archive that are in memory at once: one to be read, one to be filled, and those that are being written. */
export const PIECES = 4;

/** Tools for one layer at a time. */
export class UnpackTools implements Disposable {
  readonly maker: FileMaker;
  readonly buffers: DecompressionBuffers;
  readonly #memory: MappedMemory;

  /** @param userNamespace as `FileMaker` takes it */
  constructor(userNamespace: number | undefined) {
    using cleanup = new DisposableStack();
    const memory = cleanup.use(mapHugePages(PIECES * OUTPUT_SIZE + INPUT_SIZE));
    this.maker = new FileMaker(userNamespace);
    this.#memory = memory;
    cleanup.move();
    const outputs = Array.from({ length: PIECES }, (_, piece) =>
      memory.buffer.subarray(piece * OUTPUT_SIZE, (piece + 1) * OUTPUT_SIZE),
    );
    this.buffers = { input: memory.buffer.subarray(PIECES * OUTPUT_SIZE), outputs };
  }

  /** The address of the first byte of a piece; undefined unless it lies in these buffers. */
  addressOf({ buffer, byteOffset }: Buffer): number | undefined {
    return buffer === this.#memory.view.buffer ? this.#memory.address + byteOffset : undefined;
  }

  /** Ends the process, and gives the memory back that it reads from. */
  [Symbol.dispose](): void {
    this.maker[Symbol.dispose]();
    this.#memory[Symbol.dispose]();
  }
}

/** Tools that are handed on. */
export class UnpackToolbox implements Disposable {
  /** What is to be done as root is done by this; undefined when the caller is root. */
  readonly root: RootCalls | undefined;
  readonly #idle: UnpackTools[] = [];

  /** @param namespace whose root makes the files; undefined for a caller who is root */
  constructor(namespace: RootNamespace | undefined) {
    this.root = namespace === undefined ? undefined : new RootCalls(namespace);
  }

  /**
   * Has some work done with tools that nobody else uses meanwhile. What it fails with, they are not used again.
   * @throws BunkerError `launch_failed`, and what `work` throws
   */
  async lend(work: (tools: UnpackTools) => Promise<void>): Promise<void> {
    using cleanup = new DisposableStack();
    const tools = cleanup.use(this.#idle.pop() ?? new UnpackTools(this.root?.namespace.descriptor));
    await work(tools);
    cleanup.move();
    this.#idle.push(tools);
  }

  [Symbol.dispose](): void {
    for (const tools of this.#idle.splice(0)) tools[Symbol.dispose]();
    this.root?.[Symbol.dispose]();
  }
}
