/*
 * Blobs on their way into the store.
 *
 * A blob grows in `partial/<algorithm>-<hex>`, where it stays when its way is interrupted, however: the next one who
 * wants it goes on from there; unless the image was refused for what it is, of which nothing is kept. A blob that came
 * damaged over a network says nothing of the image's others, which stay for the next try.
 *
 * While somebody receives a blob he has the file locked (flock), and others wait until he is done or dead, asking again
 * and again: waiting in flock would stop the other blobs of a process that may be waited for itself. A process holds the
 * lock of a blob only while that blob arrives, so nobody waits in a circle.
 *
 * One that has arrived whole and verified gets a second name, a hard link in a directory of this writer's own in `tmp/`:
 * whatever others remove, the writer still has it. The same link is made of a blob that the store has already.
 *
 * At the end everything is brought to the disk, and only then linked to `blobs/`: what is there is whole also after a
 * power cut. Rows come after that.
 *
 * What is in `blobs/` is believed, until something is found to be wrong with the image. Then it is verified, and what has
 * been damaged there (by a failing disk, or whoever has written to it) is received once more and takes its place.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { beginWriteBack, Lock, lock, synchronize } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { giveBackMemory } from "../../sys/give-back-memory.ts";
import { check } from "../../sys/system-call.ts";
import { writeAt } from "../../sys/write-at.ts";
import { readDocument } from "../blob.ts";
import { type Digest, DigestHasher, splitDigest } from "../digest.ts";
import type { PackedSource } from "../layers/decompress.ts";
import { openLock, waitAMoment } from "../layers/store-lock.ts";
import { blobPath } from "../layout-files.ts";
import { linkBlob } from "../link-blob.ts";
import { checkRoom } from "../room.ts";
import type { BlobDescriptor } from "./stored-image.ts";

const READ_SIZE = 1 << 20;
/** Bytes after which the disk is told to begin with them: at the end there is less to wait for. */
const WRITE_BACK_STEP = 4 << 20;

/** Gives the bytes of a blob from an offset on. */
type ReadBlob = (offset: number) => AsyncIterable<Buffer>;

interface ReceiveOptions {
  readonly signal: AbortSignal;
  /** Is told of bytes that have arrived; those that were there already are told first. */
  readonly onProgress: (bytes: number) => void;
  /** Whether pieces are nobody else's, so that their memory is given back as soon as they are written. */
  readonly ownsPieces?: boolean;
}

/** A blob that is arriving. */
export interface ArrivingBlob {
  /** Settles when it is there, verified. */
  readonly arrival: Promise<void>;
  /** Reads its bytes from the first on, as they arrive, for one reader; their end comes after they were verified. */
  readonly read: (buffer: Buffer) => Promise<number>;
}

/** The blobs that one writer brings. */
export class BlobStaging implements Disposable {
  readonly #store: string;
  readonly #own: string;
  /** Closed at the end: what has arrived is still read. */
  readonly #files = new DisposableStack();
  readonly #staged = new Map<Digest, string>();
  /** Those that were received here, or were to be. */
  readonly #received = new Set<Digest>();
  /** Those in which there is something bad. */
  readonly #refused = new Set<Digest>();
  /** Those that the store has with other bytes. */
  readonly #damaged = new Set<Digest>();

  /** @param store the data directory; made when it is missing */
  constructor(store: string) {
    this.#store = store;
    for (const name of ["tmp", "partial", "blobs/sha256", "blobs/sha512"]) {
      mkdirSync(`${store}/${name}`, { recursive: true, mode: 0o700 });
    }
    const file = openLock(`${store}/lock`);
    // While this is held nobody takes what is in tmp/ for left over; see store-lock.ts.
    check(lock(file.number, Lock.shared), "lock", store);
    this.#files.use(file);
    this.#own = `${store}/tmp/${crypto.randomUUID()}`;
    mkdirSync(this.#own, { mode: 0o700 });
  }

  [Symbol.dispose](): void {
    rmSync(this.#own, { recursive: true, force: true });
    this.#files.dispose();
  }

  /** Whether the store has a blob; if so it stays there for this writer. */
  has({ digest }: Pick<BlobDescriptor, "digest">): boolean {
    if (this.#staged.has(digest)) return true;
    return !this.#damaged.has(digest) && this.#pin(digest, `${this.#store}/${blobPath(digest)}`);
  }

  /**
   * Sees to it that blobs have room, before any of them is asked for; of those that have arrived in part, for the rest.
   * Others may still take it away meanwhile, and what is unpacked takes more; but what does not even fit packed need not
   * set out.
   * @param blobs each once
   * @param name of what they are parts of
   * @throws BunkerError `no_space`
   */
  checkRoom(blobs: readonly BlobDescriptor[], name: string): void {
    checkRoom(
      this.#store,
      blobs.reduce((sum, blob) => sum + this.#missing(blob), 0),
      name,
    );
  }

  /** Where the bytes of a blob are that has arrived. */
  path(digest: Digest): string | undefined {
    return this.#staged.get(digest);
  }

  /**
   * Reads a document that has arrived.
   * @throws BunkerError `image_unreadable`, `image_invalid`
   */
  read(digest: Digest): Buffer {
    return readDocument(this.#staged.get(digest) ?? this.#ownPath(digest), digest);
  }

  /** Takes a blob that is at hand, unless the store has it. */
  put({ digest }: Pick<BlobDescriptor, "digest">, bytes: Buffer): void {
    const path = this.#ownPath(digest);
    if (this.has({ digest })) {
      if (statSync(path).size === bytes.length && readFileSync(path).equals(bytes)) return;
      this.#setAside(digest);
    }
    const file = openSync(path, "wx", 0o600);
    try {
      checkWritten(writeAt(file, bytes, 0, bytes.length, 0), digest);
    } finally {
      closeSync(file);
    }
    this.#staged.set(digest, path);
  }

  /**
   * Begins to receive a blob; what arrived earlier, here or in another process, is not asked for again.
   * The arrival's failure is BunkerError `digest_mismatch`, `blob_truncated`, `no_space`, or what `read` throws.
   */
  receive(descriptor: BlobDescriptor, read: ReadBlob, options: ReceiveOptions): ArrivingBlob {
    const progress = new Progress();
    const arrival = this.#receive(descriptor, read, options, progress).then(
      () => progress.end(),
      (cause) => {
        progress.end({ cause });
        throw cause;
      },
    );
    // Whoever awaits it is told; so is whoever reads.
    arrival.catch(() => undefined);
    return { arrival, read: (buffer) => progress.read(buffer) };
  }

  /**
   * Makes all blobs visible, which are on the disk then.
   * @throws BunkerError `system_call_failed`, `no_space`
   */
  publish(): void {
    const directories = new Set<string>();
    for (const [digest, path] of this.#staged) {
      const visible = `${this.#store}/${blobPath(digest)}`;
      const isDamaged = this.#damaged.has(digest);
      if (!isDamaged && statSync(visible, { throwIfNoEntry: false }) !== undefined) continue;
      synchronizeFile(path);
      if (isDamaged) replaceByLink(path, visible);
      else linkBlob(path, visible);
      directories.add(visible.slice(0, visible.lastIndexOf("/")));
      removeIfSame(this.#partialPath(digest), path);
    }
    for (const path of directories) synchronizeFile(path);
  }

  /**
   * Verifies what was found in the store, and believes no more of it what is damaged.
   * @returns the digests of that; it has to be received now
   */
  setAsideDamaged(): readonly Digest[] {
    const found = this.#staged.keys().filter((digest) => !this.#received.has(digest));
    const damaged = [...found].filter((digest) => !isWhole(this.#ownPath(digest), digest));
    for (const digest of damaged) this.#setAside(digest);
    return damaged;
  }

  #setAside(digest: Digest): void {
    rmSync(this.#ownPath(digest));
    this.#staged.delete(digest);
    this.#damaged.add(digest);
  }

  /** Takes note that what is in a blob is bad; if its bytes are those of its digest, the image is. */
  refuse(digest: Digest): void {
    this.#refused.add(digest);
  }

  /**
   * Removes what was received of a bad image, because nobody will go on with it; to be called when nothing arrives any
   * more. What another process is receiving is its own.
   * @param isRemote whether it came over a network: then, if a blob may only have come damaged, the others stay as those of
   *   an interrupted pull do
   */
  discard(isRemote: boolean): void {
    const isVerified = (digest: Digest) => this.#staged.has(digest);
    const isImageBad = this.#refused.values().some(isVerified) || this.#received.values().every(isVerified);
    for (const digest of this.#received) {
      if (isRemote && !isImageBad && !this.#refused.has(digest)) continue;
      const path = this.#partialPath(digest);
      if (statSync(path, { throwIfNoEntry: false }) === undefined) continue;
      using file = openLock(path);
      const isLocked = lock(file.number, Lock.exclusive | Lock.nonBlocking) === 0;
      if (isLocked && isSame(path, file.number)) rmSync(path, { force: true });
    }
  }

  /** How many bytes of a blob are still to come. */
  #missing({ digest, size }: BlobDescriptor): number {
    const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size;
    if (this.#staged.has(digest) || sizeOf(`${this.#store}/${blobPath(digest)}`) !== undefined) return 0;
    return Math.max(size - (sizeOf(this.#partialPath(digest)) ?? 0), 0);
  }

  #ownPath(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return `${this.#own}/${algorithm}-${hex}`;
  }

  #partialPath(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return `${this.#store}/partial/${algorithm}-${hex}`;
  }

  #pin(digest: Digest, path: string): boolean {
    const own = this.#ownPath(digest);
    if (!linkBlob(path, own)) return false;
    this.#staged.set(digest, own);
    return true;
  }

  async #receive(
    descriptor: BlobDescriptor,
    read: ReadBlob,
    options: ReceiveOptions,
    progress: Progress,
  ): Promise<void> {
    const { digest, size } = descriptor;
    const path = this.#partialPath(digest);
    const file = await this.#openLocked(descriptor, path, options.signal);
    if (file === undefined) {
      const opened = new FileDescriptor(openSync(this.#ownPath(digest), "r"));
      this.#files.use(opened);
      options.onProgress(size);
      progress.advance(opened.number, size);
      return;
    }
    this.#files.use(file);
    this.#received.add(digest);
    try {
      const isWhole = await this.#receiveInto(file.number, descriptor, read, options, progress);
      // What had arrived earlier may have been damaged by a power cut. Whoever has read along has read that too.
      const isHopeless = !isWhole && progress.isRead;
      if (isHopeless || !(isWhole || (await this.#receiveInto(file.number, descriptor, read, options, progress)))) {
        throw damaged(descriptor, "its digest is another");
      }
    } catch (error) {
      // Nobody can go on from nothing; the file is still locked.
      if (fstatSync(file.number).size === 0) rmSync(path, { force: true });
      lock(file.number, Lock.release);
      throw error;
    }
    const isPinned = this.#pin(digest, path);
    lock(file.number, Lock.release);
    // Another writer has published it meanwhile, so it is in the store; unless it has been removed there already.
    if (!isPinned && !this.has(descriptor)) await this.#receive(descriptor, read, options, progress);
  }

  /** Opens and locks the file; undefined when the blob has come into the store meanwhile. */
  async #openLocked(
    descriptor: BlobDescriptor,
    path: string,
    signal: AbortSignal,
  ): Promise<FileDescriptor | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.has(descriptor)) return undefined;
      const file = openLock(path);
      const isLocked = lock(file.number, Lock.exclusive | Lock.nonBlocking) === 0;
      // The one who had it before may have removed it.
      if (isLocked && isSame(path, file.number)) return file;
      file.close();
      if (!isLocked) await waitAMoment(signal);
    }
  }

  /** Receives what is missing; false when the digest of early and new bytes together is wrong, the file is empty then. */
  async #receiveInto(
    file: number,
    descriptor: BlobDescriptor,
    read: ReadBlob,
    { signal, onProgress, ownsPieces = false }: ReceiveOptions,
    progress: Progress,
  ): Promise<boolean> {
    const { digest, size } = descriptor;
    const hasher = new DigestHasher(splitDigest(digest).algorithm);
    let position = hashBeginning(file, size, hasher);
    const early = position;
    let writtenBack = position;
    onProgress(early);
    progress.advance(file, early);
    if (position < size) {
      for await (const piece of read(position)) {
        signal.throwIfAborted();
        if (position + piece.length > size) {
          ftruncateSync(file, 0);
          throw damaged(descriptor, `more than its ${size} bytes arrive`);
        }
        checkWritten(writeAt(file, piece, 0, piece.length, position), digest);
        hasher.update(piece);
        position += piece.length;
        if (position - writtenBack >= WRITE_BACK_STEP) {
          beginWriteBack(file);
          writtenBack = position;
        }
        onProgress(piece.length);
        if (ownsPieces) giveBackMemory(piece);
        progress.advance(file, position);
      }
    }
    if (position < size) {
      throw new BunkerError({
        code: "blob_truncated",
        operation: "receive the blob",
        object: digest,
        reason: `it ends after ${position} of ${size} bytes`,
        hint: "Try again: what has arrived is kept.",
      });
    }
    const actual = hasher.finish();
    if (actual === digest) return true;
    ftruncateSync(file, 0);
    if (early === 0) throw damaged(descriptor, `its digest is ${actual}`);
    onProgress(-position);
    return false;
  }
}

/** How far a blob has arrived, for those who read it meanwhile. */
class Progress implements PackedSource {
  #file = -1;
  /** Bytes of the file that have arrived, and that have been read. */
  #arrived = 0;
  #read = 0;
  #end: { readonly failure: { readonly cause: unknown } | undefined } | undefined;
  #news = Promise.withResolvers<void>();

  /** Whether somebody has read what would have to be forgotten. */
  get isRead(): boolean {
    return this.#read > 0;
  }

  advance(file: number, arrived: number): void {
    this.#file = file;
    this.#arrived = arrived;
    this.#tell();
  }

  end(failure?: { readonly cause: unknown }): void {
    this.#end = { failure };
    this.#tell();
  }

  async read(buffer: Buffer): Promise<number> {
    for (;;) {
      if (this.#end?.failure !== undefined) throw this.#end.failure.cause;
      const wanted = Math.min(buffer.length, this.#arrived - this.#read);
      if (wanted > 0) {
        const length = readSync(this.#file, buffer, 0, wanted, this.#read);
        this.#read += length;
        return length;
      }
      if (this.#end !== undefined) return 0;
      await this.#news.promise;
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }
}

/** Reads what arrived earlier; returns how many bytes. More than there can be are thrown away. */
function hashBeginning(file: number, size: number, hasher: DigestHasher): number {
  const early = fstatSync(file).size;
  if (early > size) ftruncateSync(file, 0);
  // Most blobs are new, and the memory would have to be cleared for each of them.
  if (early === 0 || early > size) return 0;
  const buffer = Buffer.from(new ArrayBuffer(READ_SIZE));
  let position = 0;
  for (;;) {
    const length = readSync(file, buffer, 0, READ_SIZE, position);
    if (length === 0) return position;
    hasher.update(buffer.subarray(0, length));
    position += length;
  }
}

/** Whether a file has the bytes of a digest. */
function isWhole(path: string, digest: Digest): boolean {
  using file = new FileDescriptor(openSync(path, "r"));
  const hasher = new DigestHasher(splitDigest(digest).algorithm);
  hashBeginning(file.number, Number.POSITIVE_INFINITY, hasher);
  return hasher.finish() === digest;
}

/** Gives a file another name, which another file may have had. */
function replaceByLink(path: string, name: string): void {
  const aside = `${path}.new`;
  linkBlob(path, aside);
  renameSync(aside, name);
}

function isSame(path: string, file: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(file).ino;
}

function removeIfSame(path: string, other: string): void {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status !== undefined && status.ino === statSync(other).ino) rmSync(path, { force: true });
}

/** Brings a file or directory to the disk. */
function synchronizeFile(path: string): void {
  using file = new FileDescriptor(openSync(path, "r"));
  check(synchronize(file.number), "write to disk", path);
}

function checkWritten(result: number, digest: Digest): void {
  if (result >= 0) return;
  const isFull = result === -Errno.ENOSPC || result === -Errno.EDQUOT;
  throw new BunkerError({
    code: isFull ? "no_space" : "system_call_failed",
    operation: "write the blob",
    object: digest,
    errno: -result,
    hint: isFull ? "Free some space on the file system of the image store; what has arrived is kept." : undefined,
  });
}

function damaged({ digest }: BlobDescriptor, reason: string): BunkerError {
  return new BunkerError({ code: "digest_mismatch", operation: "verify", object: `the blob ${digest}`, reason });
}
