/*
 * Archives that are read. An image is read from places all over its archive, so one that comes through a pipe, or is
 * compressed, is written to the store's directory for what is on its way first, decompressed; it is removed when it has
 * been read, and swept with everything else there when this process dies.
 */
import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BunkerError } from "../../sys/error.ts";
import { writeError } from "../../sys/write-error.ts";
import { type Compression, detectCompression, SIGNATURE_SIZE } from "../compression.ts";
import { lockStore } from "../layers/store-lock.ts";
import { ZstdFrames } from "../zstd-frames.ts";
import { untilAborted } from "./until-aborted.ts";
import { visibleStatus } from "./visible-status.ts";

/** An archive in a file that can be read at any place; what was made for it goes with it. */
export interface ArchiveInput extends AsyncDisposable {
  readonly path: string;
}

/** Where an archive comes from: a path, or a stream of which the name is for messages. */
export type ArchiveOrigin = string | { readonly name: string; readonly stream: AsyncIterable<Uint8Array> };

/**
 * Opens an archive for reading.
 * @param store the data directory, where there is room for what has to be written first
 * @throws BunkerError `image_not_found`, `image_unreadable`, `archive_invalid`, `no_space`
 */
export async function openArchiveInput(
  origin: ArchiveOrigin,
  store: string,
  signal: AbortSignal,
): Promise<ArchiveInput> {
  if (typeof origin === "string" && (await isPlainFile(origin))) {
    return { path: origin, [Symbol.asyncDispose]: async () => {} };
  }
  const lock = lockStore(store);
  const path = `${lock.stagingPath}/${crypto.randomUUID()}`;
  const close = () => {
    rmSync(path, { force: true });
    lock[Symbol.dispose]();
  };
  try {
    const output = createWriteStream(path, { flags: "wx", mode: 0o600 });
    await pipeline(decompressed(origin, signal), output, { signal });
    return { path, [Symbol.asyncDispose]: async () => close() };
  } catch (cause) {
    close();
    signal.throwIfAborted();
    throw writeError(cause, "write the archive to", store);
  }
}

/**
 * The bytes of an archive, decompressed.
 * @param signal ends it also while whoever sends the archive sends nothing
 * @throws BunkerError as `openArchiveInput`, while they are read
 */
export async function* decompressed(
  origin: ArchiveOrigin,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* unpacked(origin, signal);
  } catch (cause) {
    throw isCodecError(cause) ? damaged(nameOf(origin), cause) : cause;
  }
}

async function* unpacked(
  origin: ArchiveOrigin,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const source = (typeof origin === "string" ? readFile(origin) : origin.stream)[Symbol.asyncIterator]();
  const next = () => (signal === undefined ? source.next() : untilAborted(source.next(), signal));
  const start: Buffer[] = [];
  let length = 0;
  while (length < SIGNATURE_SIZE) {
    const { done, value } = await next();
    if (done) break;
    start.push(Buffer.from(value));
    length += value.length;
  }
  const whole = async function* () {
    yield* start;
    for (;;) {
      const { done, value } = await next();
      if (done) return;
      yield Buffer.from(value.buffer, value.byteOffset, value.length);
    }
  };
  const compression = detectCompression(Buffer.concat(start));
  if (compression === undefined) yield* whole();
  else yield* decoder(compression, whole());
}

async function* decoder(
  compression: Compression,
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  if (compression === "bzip2") {
    const { bunzip2 } = await import("../bunzip2.ts");
    yield* bunzip2(pieces);
    return;
  }
  if (compression === "xz") {
    const { unxz } = await import("../xz/unxz.ts");
    yield* unxz(pieces);
    return;
  }
  const stream = compression === "gzip" ? createGunzip() : createZstdDecompress();
  const frames = compression === "gzip" ? undefined : new ZstdFrames();
  const feeding = pipeline(frames === undefined ? pieces : follow(pieces, frames), stream);
  // Its failure comes out of the stream as well.
  feeding.catch(() => undefined);
  yield* stream as AsyncIterable<Buffer>;
  if (frames === undefined) {
    await feeding;
    return;
  }
  // Behind something that is no frame the stream ends by itself, and what feeds it is cut off.
  await feeding.catch(() => undefined);
  frames.finish();
}

/** The same bytes, while their frames are followed. */
async function* follow(pieces: AsyncIterable<Buffer>, frames: ZstdFrames): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of pieces) {
    frames.feed(piece);
    yield piece;
  }
}

/** Whether an error says that compressed bytes are damaged. */
function isCodecError(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && /^(?:Z_|ZSTD_|ERR_ZSTD|BZIP2_|XZ_)/.test(String(cause.code));
}

function damaged(name: string, cause: unknown): BunkerError {
  const reason = `it cannot be decompressed (${cause instanceof Error ? cause.message : String(cause)})`;
  return new BunkerError({ code: "archive_invalid", operation: "read", object: name, reason }, { cause });
}

function nameOf(origin: ArchiveOrigin): string {
  return typeof origin === "string" ? origin : origin.name;
}

/** Whether a path is a file that need not be written anywhere else. What it is not is left to whoever opens it. */
async function isPlainFile(path: string): Promise<boolean> {
  const status = visibleStatus(path);
  if (status === undefined || status.isDirectory()) return true;
  if (!status.isFile()) return false;
  await using file = await open(path).catch((cause) => {
    throw writeError(cause, "read", path);
  });
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SIGNATURE_SIZE), 0, SIGNATURE_SIZE, 0);
  return detectCompression(buffer.subarray(0, bytesRead)) === undefined;
}

async function* readFile(path: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw writeError(cause, "read", path);
  }
}
