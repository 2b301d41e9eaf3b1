/*
 * Where an archive goes: a file, which grows without a name and gets its place when it is whole, so that what was at the
 * place stays until then, nothing half-written is ever seen there, and nothing is left of it when this process is killed;
 * or a stream, which cannot be taken back. On a file system without files that have no name it grows beside its place.
 */
import { constants, realpathSync, unlinkSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { linkDescriptorAt } from "../../sys/file.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { writeError, writeFailure } from "../../sys/write-error.ts";
import { untilAborted } from "./until-aborted.ts";
import { visibleStatus } from "./visible-status.ts";

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
 * Opens a file for writing, readable by its owner only, as `docker save` makes it. Of a symbolic link the file is
 * replaced that it leads to; what leads to a device, a pipe or the like is written to directly.
 * @param signal ends opening and writing also while nobody reads
 * @throws BunkerError `write_failed`
 */
export async function openFileOutput(path: string, signal?: AbortSignal): Promise<FileOutput> {
  const wait = <Result>(work: Promise<Result>) => (signal === undefined ? work : untilAborted(work, signal));
  const status = visibleStatus(path);
  if (status?.isDirectory()) {
    throw new BunkerError({ code: "write_failed", operation: "write to", object: path, errno: Errno.EISDIR });
  }
  const isReplaced = status === undefined || status.isFile();
  let place: string;
  let aside: string | undefined;
  let file: FileHandle;
  let hasName = true;
  try {
    place = status?.isFile() === true ? realpathSync(path) : resolve(path);
    aside = isReplaced ? `${dirname(place)}/.bunker-${crypto.randomUUID()}` : undefined;
    const nameless = aside === undefined ? undefined : await openNameless(dirname(place));
    hasName = nameless === undefined;
    file = nameless ?? (await wait(open(aside ?? path, aside === undefined ? "w" : "wx", 0o600)));
  } catch (cause) {
    throw writeError(cause, "write to", path);
  }
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
        for (let at = 0; at < bytes.length; ) at += (await wait(file.write(bytes, at, bytes.length - at))).bytesWritten;
      }),
    commit: () =>
      attempt(async () => {
        if (aside === undefined) return;
        await file.sync();
        if (!hasName && linkDescriptorAt(file.fd, AT_FDCWD, encodeText(place)) === 0) return;
        // There is something at the place, and what has a name can be replaced by nothing but what has one, too.
        const result = hasName ? 0 : linkDescriptorAt(file.fd, AT_FDCWD, encodeText(aside));
        if (result < 0) throw writeFailure(-result, "write to", path);
        hasName = true;
        await rename(aside, place);
        hasName = false;
      }),
    [Symbol.asyncDispose]: async () => {
      const closed = file.close();
      // After an interruption it may wait for a write that nobody ever reads.
      if (aside === undefined && signal?.aborted === true) closed.catch(() => undefined);
      else await closed;
      if (aside !== undefined && hasName) unlinkSync(aside);
    },
  };
}

/** Opens a file without a name; undefined where the file system has none. */
async function openNameless(directory: string): Promise<FileHandle | undefined> {
  try {
    return await open(directory, constants.O_WRONLY | OpenFlag.O_TMPFILE, 0o600);
  } catch (cause) {
    const errno = errnoOf(cause);
    // A kernel or a file system that does not know the flag takes it for a try to write to the directory.
    if (errno === Errno.EOPNOTSUPP || errno === Errno.EISDIR) return undefined;
    throw cause;
  }
}

/**
 * Standard output as an output.
 * @param signal ends a write also while nobody reads
 */
export function standardOutput(signal: AbortSignal): ByteOutput {
  return {
    write: (bytes) => {
      const written = new Promise<void>((done, fail) => {
        process.stdout.write(bytes, (cause) => {
          if (!cause) done();
          else fail(writeError(cause, "write to", "standard output"));
        });
      });
      return untilAborted(written, signal);
    },
    commit: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
