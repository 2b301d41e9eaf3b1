/*
 * Where images come from and where they go: a registry, an image directory, an archive, the store. `copyImage` moves an
 * image from any reader to any writer without knowing which, so that every pair works by construction.
 *
 * A reader hands out manifests and blobs as they are; whoever stores them verifies. A writer shows nothing until
 * `commit`: what was not committed is gone when it is disposed of.
 */
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";

/** A manifest or an index: its bytes are what its digest names, so they are never written anew. */
export interface Manifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** How the bytes of a blob are wanted. */
export interface BlobReadOptions {
  readonly signal: AbortSignal;
  /** Bytes at the beginning that are there already and not to be sent; 0 unless given. */
  readonly offset?: number;
}

/** An image, or an index of images, that can be read. */
export interface ImageReader extends AsyncDisposable {
  /** As the user would write it; for messages. */
  readonly name: string;
  /** Whether blobs come over a network, so that what has arrived is worth keeping for the next try. */
  readonly isRemote?: boolean;
  /** What the user can do about a blob with other bytes than its digest says. */
  readonly hintForDamage?: string;
  /**
   * Reads the manifest or index that the name stands for, or one that an index names.
   * @throws BunkerError `image_not_found`, `image_invalid`, `digest_mismatch` and what the place itself can meet
   */
  readManifest(descriptor?: Descriptor): Promise<Manifest>;
  /** Whether a manifest that an index names is there; without this method everything is that an index names. */
  hasManifest?(descriptor: Descriptor): boolean;
  /** Streams a blob; the pieces are the receiver's. Digest and size are verified by whoever stores them. */
  readBlob(descriptor: Descriptor, options: BlobReadOptions): AsyncIterable<Buffer>;
  /**
   * Where else a blob is known to be, or to have been: full names of repositories, `docker.io/library/debian`. Another
   * repository of the same registry can have it without being sent the bytes.
   */
  repositoriesOf?(descriptor: Descriptor): readonly string[];
}

/** A place that an image can be written to. */
export interface ImageWriter extends AsyncDisposable {
  /** As the user would write it; for messages. */
  readonly name: string;
  /** How many blobs it can take at the same time; as many as the caller likes unless given. */
  readonly concurrency?: number;
  /** Whether only manifests of OCI's kind are found there, so that Docker's have to be converted. */
  readonly requiresOci?: boolean;
  /**
   * Sees to it that blobs have room, before any of them is moved.
   * @param blobs all of the image's, each once, also those that are there
   * @throws BunkerError `no_space`
   */
  checkRoom?(blobs: readonly Descriptor[]): void;
  /**
   * Whether the place has a blob already, or can come by it without being sent the bytes.
   * @param from the reader that would be asked for it (a registry mounts blobs of its other repositories)
   */
  hasBlob(descriptor: Descriptor, from: ImageReader): Promise<boolean>;
  /**
   * Stores a blob.
   * @param read gives the bytes from an offset on; may be called again to resume after a failure
   * @throws BunkerError `digest_mismatch`, `no_space` and what the place itself can meet; nothing is stored then
   */
  writeBlob(
    descriptor: Descriptor,
    read: (offset: number) => AsyncIterable<Buffer>,
    options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
  ): Promise<void>;
  /**
   * Stores a manifest or index after everything it names.
   * @param isRoot whether this is the one that the image's name stands for
   */
  writeManifest(manifest: Manifest, isRoot: boolean): Promise<void>;
  /** Makes everything visible. */
  commit(): Promise<void>;
}
