import type { Digest } from "../../digest.ts";
import type { BlobDescriptor } from "../../store/stored-image.ts";

/** A manifest of a repository, under one of its tags or none. */
export interface ServedManifest extends BlobDescriptor {
  readonly repository: string;
  readonly tag: string | undefined;
}

/** What a server has: an image layout, whoever keeps its index. */
export interface RegistryContents {
  /** The layout's directory. */
  readonly directory: string;
  /** Whether nothing may be changed. */
  readonly isReadOnly: boolean;
  /** The manifests that somebody has pushed or named, as they are now. */
  manifests(): readonly ServedManifest[];
  /**
   * Keeps a blob for the manifest of a repository that is to come, whoever removes blobs meanwhile.
   * @param path where its bytes are
   * @returns whether there is such a blob
   */
  hold(repository: string, digest: Digest, path: string): boolean;
  /**
   * Holds off whoever removes blobs: from looking whether a manifest's are there until it is added. What is held for the
   * repository is there then.
   */
  rely(repository: string): Disposable;
  /**
   * Adds a manifest, whose bytes are a blob of the layout already; a tag leaves the manifest that it stood for. All that it
   * names is on the disk before it is seen.
   * @throws ApiError `MANIFEST_INVALID`, `UNSUPPORTED`
   */
  add(manifest: ServedManifest): void;
  /** Takes a tag away, or a manifest with all its tags. */
  remove(repository: string, which: { readonly tag: string } | { readonly digest: Digest }): void;
}
