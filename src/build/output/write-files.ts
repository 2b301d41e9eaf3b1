/*
 * The files of a built root file system without an image around them: `--output type=local` and `type=tar`. In a directory
 * they belong to the user, as files of the user's do; devices and the like, which an ordinary user cannot make, are left
 * out. In an archive they are as in the image.
 */
import {
  chmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { dataParts } from "../../image/layers/data-parts.ts";
import { archiveEntries } from "../../image/layers/layer-diff.ts";
import { Losses } from "../../image/layers/losses.ts";
import { mergedEntries } from "../../image/layers/merged-entries.ts";
import { openFileOutput, standardOutput } from "../../image/transport/byte-output.ts";
import { copyData } from "../../sys/copy-data.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { writeError, writeFailure } from "../../sys/write-error.ts";

/** Bytes that are copied before others get their turn, and at once; each file counts as some more than it has. */
const TURN = 32 << 20;
const FILE_COST = 64 << 10;

/**
 * Copies all files of a mounted root file system to a directory, over what is there.
 * @returns warnings
 * @throws BunkerError `write_failed`, `no_space`; the reason of `signal`
 */
export async function copyToDirectory(
  root: string,
  destination: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const losses: string[] = [];
  let copied = 0;
  try {
    mkdirSync(destination, { recursive: true });
    for (const size of copyContent(Buffer.from(root), Buffer.from(destination), losses)) {
      copied += size + FILE_COST;
      if (copied < TURN) continue;
      copied = 0;
      await new Promise(setImmediate);
      signal.throwIfAborted();
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw writeError(cause, "write to", destination);
  }
  return losses;
}

/** Copies what is in a directory; yields the bytes of each piece behind it. */
function* copyContent(source: Buffer, destination: Buffer, losses: string[]): Generator<number, void, undefined> {
  for (const name of readdirSync(source, "buffer")) {
    const [from, to] = [source, destination].map((path) => Buffer.concat([path, Buffer.from("/"), name])) as [
      Buffer,
      Buffer,
    ];
    const status = lstatSync(from);
    const present = lstatSync(to, { throwIfNoEntry: false });
    if (present !== undefined && !(present.isDirectory() && status.isDirectory())) rmSync(to, { recursive: true });
    if (status.isSymbolicLink()) {
      symlinkSync(readlinkSync(from, "buffer"), to);
      lutimesSync(to, status.atime, status.mtime);
      continue;
    }
    if (status.isDirectory()) {
      if (present?.isDirectory() !== true) mkdirSync(to);
      yield* copyContent(from, to, losses);
    } else if (status.isFile()) yield* copyFile(from, to);
    else {
      losses.push(`${from.toString()} is neither file, directory nor link, and was left out`);
      continue;
    }
    chmodSync(to, status.mode & 0o7777);
    utimesSync(to, status.atime, status.mtime);
    yield 0;
  }
}

/** Makes a file with the data of another, and its holes; yields the bytes of each piece behind it. */
function* copyFile(from: Buffer, to: Buffer): Generator<number, void, undefined> {
  using source = new FileDescriptor(openSync(from, OpenFlag.O_RDONLY));
  using copy = new FileDescriptor(openSync(to, "wx"));
  const status = fstatSync(source.number);
  for (const { start, end } of dataParts(source.number, status)) {
    for (let offset = start; offset < end; offset += TURN) {
      const copied = copyData(source.number, copy.number, offset, Math.min(TURN, end - offset));
      if (copied < 0) throw writeFailure(-copied, "write", to.toString());
      yield copied;
    }
  }
  ftruncateSync(copy.number, status.size);
}

/**
 * Writes an archive of all files of some layers.
 * @param layers their directories, the uppermost first
 * @param destination a file, or `-` for standard output
 * @param latestTime seconds since 1970 that no time in it is beyond
 * @returns warnings
 * @throws BunkerError `write_failed`, `no_space`; the reason of `signal`
 */
export async function writeArchive(
  layers: readonly string[],
  destination: string,
  latestTime: number | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  using cleanup = new DisposableStack();
  const opened = layers.map(
    (path) => cleanup.use(new FileDescriptor(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY))).number,
  );
  const losses = new Losses();
  await using output = destination === "-" ? standardOutput(signal) : await openFileOutput(destination, signal);
  const entries = mergedEntries(opened);
  for (const piece of archiveEntries(entries, { latestTime, lose: losses.add.bind(losses) })) {
    signal.throwIfAborted();
    await output.write(Buffer.from(piece));
  }
  await output.commit();
  return losses.messages();
}
