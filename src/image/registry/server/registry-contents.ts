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
  /** Holds off whoever removes blobs: from looking whether a manifest's are there until it is added. */
  rely(): Disposable;
  /**
   * Adds a manifest, whose bytes are a blob of the layout already; a tag leaves the manifest that it stood for. All that it
   * names is on the disk before it is seen.
   * @throws ApiError `MANIFEST_INVALID`, `UNSUPPORTED`
   */
  add(manifest: ServedManifest): void;
  /** Takes a tag away, or a manifest with all its tags. */
  remove(repository: string, which: { readonly tag: string } | { readonly digest: Digest }): void;
}
