import { BunkerError } from "../sys/error.ts";
import { statusIfThere } from "../sys/named-file.ts";
import { FileMode, isType } from "../sys/stat.ts";
import type { ArchiveMembers } from "./archive-members.ts";
import { type BlobLocation, readDocument, verifyDigest } from "./blob.ts";
import { type Digest, splitDigest } from "./digest.ts";
import { invalidDocument } from "./documents.ts";

/** The files of an image: a directory, or an archive of one. Paths are relative. */
export interface LayoutFiles {
  /** Reads a JSON document. */
  read(path: string): Buffer;
  /** Finds a file's bytes without reading them. */
  locate(path: string): BlobLocation;
  /** Whether there is such a file. */
  has(path: string): boolean;
}

/**
 * The files of an image directory.
 * @param name of the image, for messages
 */
export function directoryFiles(directory: string, name: string): LayoutFiles {
  const find = (path: string) => {
    const file = `${directory}/${path}`;
    const status = statusIfThere(file);
    return status !== undefined && isType(status, FileMode.regular)
      ? { path: file, offset: 0, size: status.size }
      : undefined;
  };
  return {
    read: (path) => readDocument(`${directory}/${path}`, `${path} of ${name}`),
    locate: (path) => find(path) ?? missing(path, name),
    has: (path) => find(path) !== undefined,
  };
}

/** The files of an image's archive. */
export function archiveFiles(members: ArchiveMembers, name: string): LayoutFiles {
  const locate = (path: string) => members.find(path) ?? missing(path, name);
  return {
    locate,
    has: (path) => members.find(path) !== undefined,
    read: (path) => {
      const location = locate(path);
      return readDocument(location.path, `${path} of ${name}`, location);
    },
  };
}

function missing(path: string, name: string): never {
  throw new BunkerError({ code: "image_invalid", operation: "read", object: name, reason: `${path} is missing` });
}

/** The path of a blob in a layout. */
export function blobPath(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/**
 * Reads a blob that is a JSON document, and verifies size and digest.
 * @param what it is, for messages: `manifest`
 * @throws BunkerError `image_invalid`, `digest_mismatch`
 */
export function readBlob(
  files: LayoutFiles,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  what: string,
): Buffer {
  const bytes = files.read(blobPath(digest));
  if (bytes.length !== size) {
    throw invalidDocument(`${what} ${digest}`, `it has ${bytes.length} bytes instead of ${size}`);
  }
  verifyDigest(bytes, digest, `${what} ${digest}`);
  return bytes;
}
