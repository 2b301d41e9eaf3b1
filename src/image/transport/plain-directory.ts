/*
 * The transport `dir:` of containers-transports(5): one image in a directory, for looking at and for debugging. The
 * manifest or index is manifest.json, a manifest that an index names is HEX.manifest.json, and a blob is HEX, each
 * without its algorithm; `version` says that it is such a directory.
 *
 * A new image takes the place of one that is there, and only of such a one. It grows in a directory there; then its files
 * are renamed to their places, the manifest last, and those that are of the old image alone are removed. So whoever is
 * killed leaves one image or the other, and the directory itself stays what it is: a link, a mount, or where somebody is.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { BunkerError } from "../../sys/error.ts";
import { synchronizeFileSystem } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";
import { writeError } from "../../sys/write-error.ts";
import { verifyDigest } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import { type Digest, splitDigest } from "../digest.ts";
import { directoryFiles } from "../layout-files.ts";
import { checkRoom } from "../room.ts";
import { lockLayout, namesIn, openLayoutStaging, removeMade } from "./layout-staging.ts";
import { manifestOf } from "./manifest.ts";
import type { ImageReader, ImageWriter } from "./transport.ts";
import { verifyBlob } from "./verified-blob.ts";

const VERSION_FILE = "version";
const VERSION_PREFIX = "Directory Transport Version: ";
const VERSION = `${VERSION_PREFIX}1.1\n`;
const MANIFEST_FILE = "manifest.json";
/** The files of an image but its manifest; signatures are those of other programs. */
const FILE_OF_IMAGE = /^(?:(?:[0-9a-f]{64}|[0-9a-f]{128})(?:\.manifest\.json)?|signature-\d+)$/;

function blobFile(digest: Digest): string {
  return splitDigest(digest).hex;
}

function innerManifestFile(digest: Digest): string {
  return `${splitDigest(digest).hex}.manifest.json`;
}

/** Whether a directory says that it is such a one. */
export function isPlainDirectory(path: string): boolean {
  const version = `${path}/${VERSION_FILE}`;
  return existsSync(version) && readFileSync(version, "utf8").startsWith(VERSION_PREFIX);
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
    hasManifest: ({ digest }) => files.has(innerManifestFile(digest)),
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
  const firstMade = attemptNow(() => mkdirSync(path, { recursive: true }), name);
  refuseOtherDirectories(path, name);
  const staging = openLayoutStaging(path);
  const staged = new Set<string>();
  let isCommitted = false;
  const stage = (file: string) => {
    staged.add(file);
    return `${staging.path}/${file}`;
  };
  return {
    name,
    checkRoom: (blobs) =>
      checkRoom(
        path,
        blobs.reduce((sum, { size }) => sum + size, 0),
        name,
      ),
    hasBlob: async ({ digest }) => staged.has(blobFile(digest)),
    writeBlob: async (descriptor, read, { onProgress }) => {
      await using file = await attempt(() => open(stage(blobFile(descriptor.digest)), "wx", 0o644));
      for await (const piece of verifyBlob(descriptor, read(0), onProgress)) {
        await attempt(async () => {
          for (let at = 0; at < piece.length; ) at += (await file.write(piece, at, piece.length - at)).bytesWritten;
        });
      }
    },
    writeManifest: ({ digest, bytes }, isRoot) =>
      attempt(() => writeFile(stage(isRoot ? MANIFEST_FILE : innerManifestFile(digest)), bytes)),
    commit: () =>
      attempt(async () => {
        await writeFile(stage(VERSION_FILE), VERSION);
        using own = lockLayout(path);
        check(synchronizeFileSystem(own.number), "write to disk", name);
        staged.delete(MANIFEST_FILE);
        for (const file of [...staged, MANIFEST_FILE]) renameSync(`${staging.path}/${file}`, `${path}/${file}`);
        isCommitted = true;
        const old = namesIn(path).filter((file) => FILE_OF_IMAGE.test(file) && !staged.has(file));
        for (const file of old) rmSync(`${path}/${file}`);
      }),
    [Symbol.asyncDispose]: async () => {
      staging[Symbol.dispose]();
      if (!isCommitted && firstMade !== undefined) removeMade(path, firstMade);
    },
  };
}

function attemptNow<Result>(work: () => Result, name: string): Result {
  try {
    return work();
  } catch (cause) {
    throw writeError(cause, "write to", name);
  }
}

function refuseOtherDirectories(path: string, name: string): void {
  if (attemptNow(() => namesIn(path).length === 0 || isPlainDirectory(path), name)) return;
  throw new BunkerError({
    code: "not_an_image_directory",
    operation: "write an image to",
    object: name,
    reason: "there are other files in the directory",
    hint: "Give a directory that has such an image already, is empty or does not exist.",
  });
}
