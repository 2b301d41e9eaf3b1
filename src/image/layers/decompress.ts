/*
 * Decompression into a fixed set of buffers. While the reader of one works, another thread fills the next; however
 * long the stream is, nothing is allocated for it.
 *
 * The streams of node:zlib make a new buffer for every piece, faster than the garbage collector takes them away: ten
 * gigabytes peaked at half a gigabyte. Under each stream lies a handle which writes into memory that it is given, on
 * a thread of Bun's pool. It is not public, so what it needs is checked, and without it the stream itself is used.
 *
 * The handle is driven as node does it: `write(flush, input, offset, length, output, offset, length)`, then a callback,
 * and in `state` what is left of output and input. It is finished when the input is, and output remains.
 */
import { lazily } from "../../lazily.ts";
import { BunkerError } from "../../sys/error.ts";

/** Where packed bytes come from, from the first to the last. */
export interface PackedSource {
  /** Fills the beginning of a buffer, waiting for bytes that are on their way; returns how many, 0 at the end. */
  read(buffer: Buffer): Promise<number>;
}

/** How a layer can be packed. */
export type Compression = "none" | "gzip" | "zstd";

/** Bytes that a buffer for what is packed should have, and one for what is decompressed. */
export const INPUT_SIZE = 1 << 20;
export const OUTPUT_SIZE = 2 << 20;

/** Memory that one stream at a time is decompressed in. */
export interface DecompressionBuffers {
  readonly input: Buffer;
  /** At least two, of the same size. */
  readonly outputs: readonly Buffer[];
}

/** Brings all of Node's streams with it. */
const nodeCompression = lazily(() => process.getBuiltinModule("node:zlib"));

/** What is known of the handles. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  init(...values: unknown[]): void;
  write(
    flush: number,
    input: Buffer,
    inputOffset: number,
    inputLength: number,
    output: Buffer,
    outputOffset: number,
    outputLength: number,
  ): void;
  close(): void;
}

/** Loads what decompressing takes, some milliseconds of work, for whoever has nothing else to do just then. */
export function prepareDecompression(): void {
  nodeCompression();
}

/**
 * Decompresses a layer.
 * @param buffers that the pieces come in where this Bun can do that; free again when the generator has ended
 * @returns pieces in order; when one is asked for, the oldest of those that fill all buffers but one is over
 * @throws BunkerError `layer_damaged`, and what `source` throws
 */
export async function* decompress(
  source: PackedSource,
  compression: Compression,
  buffers: DecompressionBuffers = { input: makeBuffer(INPUT_SIZE), outputs: makeBuffers(OUTPUT_SIZE) },
): AsyncGenerator<Buffer, void> {
  if (compression === "none") {
    yield* alternate((buffer) => source.read(buffer), buffers.outputs);
    return;
  }
  const open = openHandle(compression);
  if (open === undefined) yield* decompressByStream(source, compression);
  else yield* decompressByHandle(source, compression, open, buffers);
}

function makeBuffer(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(size));
}

function makeBuffers(size: number): readonly Buffer[] {
  return [makeBuffer(size), makeBuffer(size)];
}

/** Yields what fills the buffers in turn; one is filled while the one before is out. */
async function* alternate(
  fill: (buffer: Buffer) => Promise<number>,
  buffers: readonly Buffer[],
): AsyncGenerator<Buffer, void> {
  const bufferAt = (turn: number) => {
    const buffer = buffers[turn % buffers.length];
    if (buffer === undefined) throw new Error("no buffer to decompress into");
    return buffer;
  };
  let filling = fill(bufferAt(0));
  try {
    for (let turn = 0; ; turn++) {
      const length = await filling;
      if (length === 0) return;
      filling = fill(bufferAt(turn + 1));
      // Its failure is told when it is awaited, not before.
      filling.catch(() => undefined);
      yield bufferAt(turn).subarray(0, length);
    }
  } finally {
    // Nobody must be writing into the buffers, or the handle, when they are given up.
    await filling.catch(() => undefined);
  }
}

interface OpenHandle {
  readonly handle: Handle;
  /** Bytes left of output and of input after a write. */
  readonly state: Uint32Array;
  /** Writes, and waits for it. */
  write(flush: number, input: Buffer, start: number, end: number, output: Buffer): Promise<void>;
}

/** The same by a handle. */
async function* decompressByHandle(
  source: PackedSource,
  compression: Compression,
  { handle, state, write }: OpenHandle,
  { input, outputs }: DecompressionBuffers,
) {
  const { constants } = nodeCompression();
  const [goOn, finish] =
    compression === "gzip"
      ? [constants.Z_NO_FLUSH, constants.Z_FINISH]
      : [constants.ZSTD_e_continue, constants.ZSTD_e_end];
  let start = 0;
  let end = 0;
  let isInputOver = false;
  let isOver = false;
  const fill = async (output: Buffer): Promise<number> => {
    while (!isOver) {
      if (start === end && !isInputOver) {
        start = 0;
        end = await source.read(input);
        isInputOver = end === 0;
      }
      await write(isInputOver ? finish : goOn, input, start, end, output);
      const [outputLeft = 0, inputLeft = 0] = state;
      const made = output.length - outputLeft;
      isOver = isInputOver && outputLeft > 0;
      // Neither read nor written: what follows the end of the stream is padding.
      start = made === 0 && inputLeft === end - start ? end : end - inputLeft;
      if (made > 0) return made;
    }
    return 0;
  };
  try {
    yield* alternate(fill, outputs);
  } finally {
    handle.close();
  }
}

/** A handle of one's own; undefined where this Bun has none that is understood. */
function openHandle(compression: "gzip" | "zstd"): OpenHandle | undefined {
  const { constants } = nodeCompression();
  const stream: object = openStream(compression);
  const known: unknown = "_handle" in stream ? stream._handle : undefined;
  if (!isHandle(known)) return undefined;
  const state = new Uint32Array(new ArrayBuffer(8));
  let settle: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  const done = () => settle?.resolve();
  try {
    // The mode numbers of node's zlib module, which it does not export for zstd.
    const handle = new (known.constructor as new (mode: number) => Handle)(
      compression === "gzip" ? GUNZIP : ZSTD_DECOMPRESS,
    );
    handle.onerror = (message) => settle?.reject(damaged(message));
    if (compression === "gzip")
      handle.init(WINDOW_BITS, 0, MEMORY_LEVEL, constants.Z_DEFAULT_STRATEGY, state, done, undefined);
    else handle.init(new Uint32Array(constants.ZSTD_d_windowLogMax + 1).fill(UNSET), undefined, state, done);
    return {
      handle,
      state,
      write: (flush, input, start, end, output) =>
        new Promise<void>((resolve, reject) => {
          settle = { resolve, reject };
          handle.write(flush, input, start, end - start, output, 0, output.length);
        }),
    };
  } catch {
    return undefined;
  }
}

function openStream(compression: Compression) {
  const { createGunzip, createZstdDecompress } = nodeCompression();
  return compression === "gzip" ? createGunzip() : createZstdDecompress();
}

const GUNZIP = 4;
const ZSTD_DECOMPRESS = 11;
const WINDOW_BITS = 15;
const MEMORY_LEVEL = 8;
const UNSET = 0xffffffff;

function isHandle(value: unknown): value is Handle {
  if (typeof value !== "object" || value === null) return false;
  return "init" in value && "write" in value && "close" in value && typeof value.write === "function";
}

/** The same by the public streams. */
export async function* decompressByStream(
  source: PackedSource,
  compression: Compression,
): AsyncGenerator<Buffer, void> {
  const decompressor = openStream(compression);
  const feed = async () => {
    for await (const piece of alternate((buffer) => source.read(buffer), makeBuffers(INPUT_SIZE))) {
      // The stream keeps what it is given until it has read it.
      if (!decompressor.write(Buffer.from(piece))) await new Promise((resolve) => decompressor.once("drain", resolve));
    }
    decompressor.end();
  };
  feed().catch((error: Error) => decompressor.destroy(error));
  try {
    for await (const piece of decompressor) yield piece as Buffer;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code)))) throw error;
    throw damaged(error.message, error);
  }
}

function damaged(message: string, cause?: Error): BunkerError {
  const reason = `it cannot be decompressed (${message})`;
  return new BunkerError({ code: "layer_damaged", operation: "read", reason }, { cause });
}
