/*
 * Where an archive goes: a file, which grows beside its place and is renamed to it when it is whole, so that what was
 * at the place stays until then and nothing half-written is ever seen there; or a stream, which cannot be taken back.
 */
import { statSync, unlinkSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { writeError } from "./write-error.ts";

/** Takes bytes in order. What was not committed is gone when it is disposed of, as far as that can be. */
export interface ByteOutput extends AsyncDisposable {
  /** Where a file grows; undefined for what is none. */
  readonly directory?: string | undefined;
  /** @throws BunkerError `no_space`, `write_failed` */
  write(bytes: Buffer): Promise<void>;
  /** Makes it visible; nothing may be written afterwards. */
  commit(): Promise<void>;
}

/** A file that is written to; also by other processes, through its descriptor. */
export interface FileOutput extends ByteOutput {
  readonly descriptor: number;
}

/**
 * Opens a file for writing, readable by its owner only, as `docker save` makes it. A path that leads to a device, a
 * pipe or the like is written to directly.
 * @throws BunkerError `write_failed`
 */
export async function openFileOutput(path: string): Promise<FileOutput> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory()) {
    throw new BunkerError({ code: "write_failed", operation: "write to", object: path, errno: Errno.EISDIR });
  }
  const isReplaced = status === undefined || status.isFile();
  const place = resolve(path);
  const aside = isReplaced ? `${dirname(place)}/.bunker-${crypto.randomUUID()}` : undefined;
  let file: FileHandle;
  try {
    file = await open(aside ?? path, aside === undefined ? "w" : "wx", 0o600);
  } catch (cause) {
    throw writeError(cause, "write to", path);
  }
  let isCommitted = false;
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (cause) {
      throw writeError(cause, "write to", path);
    }
  };
  return {
    descriptor: file.fd,
    directory: aside === undefined ? undefined : dirname(place),
    write: (bytes) =>
      attempt(async () => {
        for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
      }),
    commit: () =>
      attempt(async () => {
        if (aside === undefined) return;
        await file.sync();
        await rename(aside, place);
        isCommitted = true;
      }),
    [Symbol.asyncDispose]: async () => {
      await file.close();
      if (aside !== undefined && !isCommitted) unlinkSync(aside);
    },
  };
}

/** Standard output as an output. */
export function standardOutput(): ByteOutput {
  return {
    write: (bytes) =>
      new Promise((done, fail) => {
        process.stdout.write(bytes, (cause) => {
          if (!cause) done();
          // Nobody is there any more to be told.
          else fail(errnoOf(cause) === Errno.EPIPE ? cause : writeError(cause, "write to", "standard output"));
        });
      }),
    commit: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
