import type { BlobLocation } from "./blob.ts";
import type { Digest } from "./digest.ts";
import type { ImageConfiguration } from "./documents.ts";

/** One layer of an image, still packed. Plain data: another process can be given it as JSON. */
export interface Layer {
  /** Digest of the uncompressed archive. */
  readonly diffId: Digest;
  /** Digest of this layer's and all lower layers' diff ids: says what the layer looks like and what it lies on. */
  readonly chainId: Digest;
  /** As the image's manifest says; empty where it says nothing, as in `docker save`. */
  readonly mediaType: string;
  /** Digest of the bytes at `blob`; unknown in `docker save`, where the diff id alone vouches for the content. */
  readonly digest: Digest | undefined;
  readonly blob: BlobLocation;
}

/** An image in local files, its documents read and verified, its layers not touched. */
export interface Image {
  /** As the user would write it; for messages. */
  readonly name: string;
  /** Digest of the manifest; none in `docker save`. */
  readonly digest: Digest | undefined;
  /** Digest of the configuration: what Docker calls the image's id. */
  readonly configurationDigest: Digest;
  readonly configuration: ImageConfiguration;
  /** From the lowest to the uppermost. */
  readonly layers: readonly Layer[];
}
