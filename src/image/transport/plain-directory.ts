/*
 * The transport `dir:` of containers-transports(5): one image in a directory, for looking at and for debugging. The
 * manifest or index is manifest.json, a manifest that an index names is HEX.manifest.json, and a blob is HEX, each
 * without its algorithm; `version` says that it is such a directory.
 *
 * A new image takes the place of one that is there, and only of such a one: it grows beside the directory and is
 * renamed to its place.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { encodeText } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";
import { openAt, synchronizeFileSystem } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { check } from "../../sys/system-call.ts";
import { verifyDigest } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import { type Digest, splitDigest } from "../digest.ts";
import { directoryFiles } from "../layout-files.ts";
import { checkRoom } from "../room.ts";
import { manifestOf } from "./manifest.ts";
import type { ImageReader, ImageWriter } from "./transport.ts";
import { verifyBlob } from "./verified-blob.ts";
import { writeError } from "./write-error.ts";

const VERSION_FILE = "version";
const VERSION_PREFIX = "Directory Transport Version: ";
const VERSION = `${VERSION_PREFIX}1.1\n`;
const MANIFEST_FILE = "manifest.json";

function blobFile(digest: Digest): string {
  return splitDigest(digest).hex;
}

function innerManifestFile(digest: Digest): string {
  return `${splitDigest(digest).hex}.manifest.json`;
}

/**
 * Reads the image of such a directory.
 * @param name of the image, for messages
 * @throws BunkerError `image_not_found`, `image_unreadable`, `image_invalid`
 */
export function openPlainDirectoryReader(directory: string, name: string): ImageReader {
  const files = directoryFiles(resolve(directory), name);
  return {
    name,
    readManifest: async (descriptor) => {
      if (descriptor === undefined) return manifestOf({ mediaType: "" }, files.read(MANIFEST_FILE), name);
      const bytes = files.read(innerManifestFile(descriptor.digest));
      verifyDigest(bytes, descriptor.digest, `manifest ${descriptor.digest} of ${name}`);
      return manifestOf(descriptor, bytes, name);
    },
    async *readBlob({ digest }, { signal, offset }) {
      yield* streamBlob(files.locate(blobFile(digest)), signal, offset);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * Writes an image to such a directory.
 * @param name of the image, for messages
 * @throws BunkerError `write_failed`, `no_space`; `not_an_image_directory` when there are other things in it
 */
export function openPlainDirectoryWriter(directory: string, name: string): ImageWriter {
  const path = resolve(directory);
  const attempt = async <Result>(work: () => Promise<Result> | Result): Promise<Result> => {
    try {
      return await work();
    } catch (cause) {
      throw writeError(cause, "write to", name);
    }
  };
  refuseOtherDirectories(path, name);
  const staging = `${dirname(path)}/.bunker-${crypto.randomUUID()}`;
  try {
    mkdirSync(staging, { recursive: true });
  } catch (cause) {
    throw writeError(cause, "write to", name);
  }
  return {
    name,
    checkRoom: (blobs) =>
      checkRoom(
        dirname(staging),
        blobs.reduce((sum, { size }) => sum + size, 0),
        name,
      ),
    hasBlob: async ({ digest }) => existsSync(`${staging}/${blobFile(digest)}`),
    writeBlob: async (descriptor, read, { onProgress }) => {
      await using file = await attempt(() => open(`${staging}/${blobFile(descriptor.digest)}`, "wx", 0o644));
      for await (const piece of verifyBlob(descriptor, read(0), onProgress)) {
        await attempt(async () => {
          for (let at = 0; at < piece.length; ) at += (await file.write(piece, at, piece.length - at)).bytesWritten;
        });
      }
    },
    writeManifest: ({ digest, bytes }, isRoot) =>
      attempt(() => writeFile(`${staging}/${isRoot ? MANIFEST_FILE : innerManifestFile(digest)}`, bytes)),
    commit: () =>
      attempt(async () => {
        await writeFile(`${staging}/${VERSION_FILE}`, VERSION);
        using own = openDirectory(staging);
        check(synchronizeFileSystem(own.number), "write to disk", name);
        // A directory is only renamed over an empty one.
        if (existsSync(path)) renameSync(path, `${staging}.old`);
        renameSync(staging, path);
        rmSync(`${staging}.old`, { recursive: true, force: true });
      }),
    [Symbol.asyncDispose]: async () => rmSync(staging, { recursive: true, force: true }),
  };
}

function openDirectory(path: string): FileDescriptor {
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  return new FileDescriptor(check(openAt(AT_FDCWD, encodeText(path), flags), "open the directory", path));
}

function refuseOtherDirectories(path: string, name: string): void {
  if (!existsSync(path)) return;
  try {
    if (readdirSync(path).length === 0) return;
    const version = `${path}/${VERSION_FILE}`;
    if (existsSync(version) && readFileSync(version, "utf8").startsWith(VERSION_PREFIX)) return;
  } catch (cause) {
    throw writeError(cause, "write to", name);
  }
  throw new BunkerError({
    code: "not_an_image_directory",
    operation: "write an image to",
    object: name,
    reason: "there are other files in the directory",
    hint: "Give a directory that has such an image already, is empty or does not exist.",
  });
}
