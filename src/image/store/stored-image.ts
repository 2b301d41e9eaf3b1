import type { LayerIdentity } from "../chain-id.ts";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";

/** What names a blob, with all that a manifest says of it. */
export interface BlobDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A layer of a stored image, packed. */
interface StoredLayer extends BlobDescriptor, LayerIdentity {}

/** An image in the store. */
export interface StoredImage {
  /** The digest of its configuration. */
  readonly id: Digest;
  readonly manifest: BlobDescriptor;
  readonly configuration: Pick<BlobDescriptor, "digest" | "size">;
  /** Full names with tags, sorted: `docker.io/library/debian:12`. None: the image is dangling. */
  readonly names: readonly string[];
  /** Full names with the digests that registries know it by, sorted: `docker.io/library/debian@sha256:…`. */
  readonly repositoryDigests: readonly string[];
  readonly platform: Platform;
  /** When it was built, in milliseconds since 1970; undefined where it does not say. */
  readonly created: number | undefined;
  /** When it came into the store, in milliseconds since 1970. */
  readonly added: number;
  /** When it last got a name, or came into the store, in milliseconds since 1970. */
  readonly tagged: number;
  readonly labels: Readonly<Record<string, string>>;
  /** From the lowest to the uppermost. */
  readonly layers: readonly StoredLayer[];
  /** The directory of the store it lies in. */
  readonly store: string;
  /** Whether it is another's, where it can be used and not changed. */
  readonly isReadOnly: boolean;
}

/** A name that stands for a list of images which the user has put together. */
export interface StoredList {
  readonly name: string;
  readonly target: BlobDescriptor;
}

/** Bytes of the blobs of some images, each counted once: manifests, configurations and packed layers. */
export function contentSize(images: readonly StoredImage[]): number {
  const sizes = new Map<Digest, number>();
  for (const { manifest, configuration, layers } of images) {
    for (const { digest, size } of [manifest, configuration, ...layers]) sizes.set(digest, size);
  }
  return sizes.values().reduce((sum, size) => sum + size, 0);
}
