/*
 * Blobs on their way into a server. Each grows in a file of the staging directory and is hashed as it comes; when its
 * digest is the one that the client says, it is renamed to its place. An upload that pauses for an hour is forgotten, and
 * all of them are with the server.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Digest, DigestHasher, splitDigest } from "../../digest.ts";
import { blobPath } from "../../layout-files.ts";
import type { LayoutStaging } from "../../transport/layout-staging.ts";
import { ApiError } from "./api-error.ts";
import type { RegistryContents } from "./registry-contents.ts";

/** Milliseconds after which an upload that nobody goes on with is given up. */
const LONGEST_PAUSE = 60 * 60 * 1000;
/** Bytes that are read at once to be hashed again. */
const BUFFER_SIZE = 1 << 20;

interface Upload {
  readonly repository: string;
  readonly path: string;
  readonly file: number;
  readonly hasher: DigestHasher;
  /** Bytes that have come. */
  size: number;
  /** Whether a request is writing to it. */
  isBusy: boolean;
  /** When a request last did, by `performance.now()`. */
  touched: number;
}

export class Uploads implements Disposable {
  readonly #contents: RegistryContents;
  readonly #staging: LayoutStaging;
  readonly #uploads = new Map<string, Upload>();

  constructor(contents: RegistryContents, staging: LayoutStaging) {
    this.#contents = contents;
    this.#staging = staging;
  }

  /** Opens an upload; returns its name. */
  open(repository: string): string {
    const now = performance.now();
    for (const [other, upload] of this.#uploads) {
      if (!upload.isBusy && now - upload.touched > LONGEST_PAUSE) this.#forget(other, upload);
    }
    const name = crypto.randomUUID();
    const path = `${this.#staging.path}/${name}`;
    const file = openSync(path, "wx+", 0o644);
    const hasher = new DigestHasher("sha256");
    this.#uploads.set(name, { repository, path, file, hasher, size: 0, isBusy: false, touched: now });
    return name;
  }

  /** How many bytes of an upload have come. */
  size(repository: string, name: string): number {
    return this.#find(repository, name).size;
  }

  /**
   * Takes what a request brings. What has come stays when the request breaks off.
   * @param start where it has to go on; undefined for where it is
   * @throws ApiError `BLOB_UPLOAD_INVALID`, `BLOB_UPLOAD_UNKNOWN`
   */
  async append(repository: string, name: string, pieces: AsyncIterable<Buffer>, start?: number): Promise<void> {
    const upload = this.#find(repository, name);
    if (upload.isBusy || (start !== undefined && start !== upload.size)) {
      throw new ApiError("BLOB_UPLOAD_INVALID", upload.isBusy ? "another request writes to it" : "chunk out of order");
    }
    upload.isBusy = true;
    try {
      for await (const piece of pieces) {
        for (let at = 0; at < piece.length; )
          at += writeSync(upload.file, piece, at, piece.length - at, upload.size + at);
        upload.hasher.update(piece);
        upload.size += piece.length;
      }
    } finally {
      upload.isBusy = false;
      upload.touched = performance.now();
    }
  }

  /**
   * Makes a blob of an upload.
   * @throws ApiError `DIGEST_INVALID`, `BLOB_UPLOAD_UNKNOWN`; the upload is gone then as well
   */
  finish(repository: string, name: string, digest: Digest): void {
    const upload = this.#find(repository, name);
    if (upload.isBusy) throw new ApiError("BLOB_UPLOAD_INVALID", "another request writes to it");
    try {
      const { algorithm } = splitDigest(digest);
      const actual = algorithm === "sha256" ? upload.hasher.finish() : hashFile(upload.file, algorithm);
      if (actual !== digest) throw new ApiError("DIGEST_INVALID", `the blob's digest is ${actual}`);
      this.#contents.hold(repository, digest, upload.path);
      const place = `${this.#contents.directory}/${blobPath(digest)}`;
      mkdirSync(dirname(place), { recursive: true });
      if (!existsSync(place)) renameSync(upload.path, place);
    } finally {
      this.#forget(name, upload);
    }
  }

  /** Gives an upload up. */
  cancel(repository: string, name: string): void {
    const upload = this.#find(repository, name);
    if (upload.isBusy) throw new ApiError("BLOB_UPLOAD_INVALID", "another request writes to it");
    this.#forget(name, upload);
  }

  [Symbol.dispose](): void {
    for (const [name, upload] of this.#uploads) this.#forget(name, upload);
  }

  #find(repository: string, name: string): Upload {
    const upload = this.#uploads.get(name);
    if (upload?.repository !== repository) throw new ApiError("BLOB_UPLOAD_UNKNOWN", "no such upload");
    return upload;
  }

  #forget(name: string, { path, file }: Upload): void {
    this.#uploads.delete(name);
    closeSync(file);
    rmSync(path, { force: true });
  }
}

function hashFile(file: number, algorithm: "sha256" | "sha512"): Digest {
  const hasher = new DigestHasher(algorithm);
  const buffer = Buffer.allocUnsafe(BUFFER_SIZE);
  const { size } = fstatSync(file);
  for (let position = 0; position < size; ) {
    const count = readSync(file, buffer, 0, buffer.length, position);
    if (count === 0) break;
    hasher.update(buffer.subarray(0, count));
    position += count;
  }
  return hasher.finish();
}
