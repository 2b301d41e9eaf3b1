import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";

/**
 * Bytes of index.json that lies there already (if any) to the documents at the top of the layout, by name, in the order
 * in which they are to appear: index.json, which makes images visible, comes last.
 */
type TopDocuments = (presentIndex: Buffer | undefined) => readonly (readonly [name: string, bytes: Buffer])[];

/** An image layout that is being written: a directory, or an archive. */
export interface LayoutSink extends AsyncDisposable {
  /** How many blobs it can take at the same time; any number when undefined. */
  readonly concurrency: number | undefined;
  /**
   * Sees to it that so many bytes have room; where it cannot be known there is nothing to ask.
   * @param name of what they are parts of
   * @throws BunkerError `no_space`
   */
  checkRoom?(bytes: number, name: string): void;
  /** Whether it has a blob. */
  has(blob: { readonly digest: Digest; readonly size: number }): boolean;
  /**
   * Adds a blob.
   * @param pieces its bytes, which end with an error when they are the wrong ones
   */
  add(blob: Pick<Descriptor, "digest" | "size">, pieces: AsyncIterable<Buffer>): Promise<void>;
  /** Adds the documents that name the blobs, and makes everything visible. */
  commit(documents: TopDocuments): Promise<void>;
}
