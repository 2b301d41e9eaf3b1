/*
 * Blobs of local images: each is a range of bytes in a file, a whole file in an image directory or a member of an
 * archive; one that an archive has without its holes is several. A location is plain data, so that another process (the
 * one that unpacks, which may run in a user namespace) can open it again by itself.
 */

import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { openFile as openNamedFile, statusOfOpen } from "../sys/named-file.ts";
import { OpenFlag } from "../sys/open.ts";
import { readAt } from "../sys/read-at.ts";
import { FileMode, type FileStatus, isType } from "../sys/stat.ts";
import { check } from "../sys/system-call.ts";
import type { Digest } from "./digest.ts";
import { digestOf, splitDigest } from "./digest.ts";
import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "./documents.ts";

/** Where the bytes of a blob are. */
export interface BlobLocation {
  readonly path: string;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** The parts that lie there, in their order, where those between them are zeros and lie nowhere; else all of it does. */
  readonly parts?: readonly BlobPart[];
}

/** A part of a blob that lies in a file. */
export interface BlobPart {
  /** Bytes from the beginning of the blob. */
  readonly start: number;
  /** Bytes; at least one. */
  readonly length: number;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
}

/**
 * Finds the bytes of a blob from a position on that lie together.
 * @param position before its end
 * @returns how many there are, and where in the file; undefined for zeros, which lie nowhere
 */
export function bytesAt(
  { offset, size, parts }: Omit<BlobLocation, "path">,
  position: number,
): { readonly length: number; readonly offset: number | undefined } {
  if (parts === undefined) return { length: size - position, offset: offset + position };
  // The first that ends behind the position.
  let [low, high] = [0, parts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const part = parts[middle];
    if (part !== undefined && part.start + part.length <= position) low = middle + 1;
    else high = middle;
  }
  const part = parts[low];
  if (part === undefined || part.start > position)
    return { length: (part?.start ?? size) - position, offset: undefined };
  const passed = position - part.start;
  return { length: part.length - passed, offset: part.offset + passed };
}

/** A regular file that is open for reading. */
export interface OpenFile extends Disposable {
  readonly descriptor: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * Opens a regular file; anything else, a pipe or a device, is refused without waiting for it.
 * @param name what it is, for messages
 * @throws BunkerError `image_not_found`, `image_unreadable`
 */
export function openFile(path: string, name: string): OpenFile {
  let file: FileDescriptor;
  let status: FileStatus;
  try {
    file = openNamedFile(path, OpenFlag.O_RDONLY | OpenFlag.O_NONBLOCK | OpenFlag.O_NOCTTY);
    status = statusOfOpen(file.number, path);
  } catch (cause) {
    throw unreadable(name, cause);
  }
  const { size } = status;
  if (isType(status, FileMode.regular)) return { descriptor: file.number, size, [Symbol.dispose]: () => file.close() };
  file.close();
  const reason = isType(status, FileMode.directory) ? "it is a directory" : "it is not a regular file";
  throw new BunkerError({ code: "image_unreadable", operation: "read", object: name, reason });
}

/**
 * Says that a file of an image cannot be read.
 * @returns anything but a refusal of the kernel as it is
 */
export function unreadable(name: string, cause: unknown): unknown {
  const errno = errnoOf(cause);
  if (errno === undefined) return cause;
  const code = errno === Errno.ENOENT ? "image_not_found" : "image_unreadable";
  return new BunkerError({ code, operation: "read", object: name, errno }, { cause });
}

/**
 * Reads a JSON document whole.
 * @param range bytes; the whole file unless given
 * @throws BunkerError `image_not_found`, `image_unreadable`, `image_invalid` when it has more than 4 MiB
 */
export function readDocument(path: string, name: string, range?: Omit<BlobLocation, "path">): Buffer {
  using file = openFile(path, name);
  const location = range ?? { offset: 0, size: file.size };
  const { size } = location;
  if (size > MAXIMUM_DOCUMENT_SIZE) throw invalidDocument(name, `it has ${size} bytes, more than 4 MiB`);
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const { length: together, offset } = bytesAt(location, length);
    const end = length + together;
    if (offset === undefined) {
      bytes.fill(0, length, end);
      length = end;
      continue;
    }
    const count = check(readAt(file.descriptor, bytes, length, end, offset), "read", name);
    if (count === 0) throw invalidDocument(name, "it is truncated");
    length += count;
  }
  return bytes;
}

/**
 * Checks that a document is the one that was referred to.
 * @throws BunkerError `digest_mismatch`
 */
export function verifyDigest(bytes: Buffer, digest: Digest, name: string): void {
  const actual = digestOf(bytes, splitDigest(digest).algorithm);
  if (actual === digest) return;
  throw new BunkerError({
    code: "digest_mismatch",
    operation: "verify",
    object: name,
    reason: `its digest is ${actual}`,
  });
}
