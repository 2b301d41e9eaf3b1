import { isBadImage } from "../bad-image.ts";
import { verifyDigest } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import type { Digest } from "../digest.ts";
import { type Descriptor, type ImageConfiguration, parseDocument } from "../documents.ts";
import { identifyDescriptors } from "../image-layout.ts";
import { isConfiguration, isIndex, isLayer } from "../media-types.ts";
import { hostPlatform, platformRank } from "../platform.ts";
import type { ImageReader, ImageWriter, Manifest } from "../transport/transport.ts";
import { BlobStaging } from "./blob-staging.ts";
import type { ImageStore } from "./image-store.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/** What an image is to be called in the store. */
export interface StoredNames {
  /** Full names with tags; none leaves it without a name. */
  readonly names: readonly string[];
  /** Full names of repositories that have it under its digest. */
  readonly repositories: readonly string[];
}

/**
 * Writes an image into the store, packed; it is unpacked when it is run. Of an index all images that were written become
 * images of the store, and its name stands for the one that fits this machine best.
 */
export class StoreWriter implements ImageWriter {
  readonly name: string;
  readonly #store: ImageStore;
  readonly #names: StoredNames;
  readonly #staging: BlobStaging;
  readonly #manifests: Manifest[] = [];
  #root: Manifest | undefined;
  /** Whether the image was found to be a bad one, of which nobody will go on with anything. */
  #isRefused = false;
  #isFromRemote = false;

  /** @param name as the user would write it */
  constructor(store: ImageStore, name: string, names: StoredNames) {
    this.name = name;
    this.#store = store;
    this.#names = names;
    this.#staging = new BlobStaging(store.directory);
  }

  checkRoom(blobs: readonly Descriptor[]): void {
    this.#staging.checkRoom(blobs, this.name);
  }

  async hasBlob(descriptor: Descriptor, from: ImageReader): Promise<boolean> {
    this.#isFromRemote = from.isRemote === true;
    if (this.#staging.has(descriptor)) return true;
    // One that another store has is copied: what that store holds is not ours to keep.
    const path = this.#store.blobPath(descriptor.digest);
    if (path === undefined) return false;
    const { signal } = new AbortController();
    const read = (offset: number) => streamBlob({ path, offset: 0, size: descriptor.size }, signal, offset);
    await this.writeBlob(descriptor, read, { signal, onProgress: () => undefined });
    return true;
  }

  async writeBlob(
    descriptor: Descriptor,
    read: (offset: number) => AsyncIterable<Buffer>,
    options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
  ): Promise<void> {
    try {
      await this.#staging.receive(descriptor, read, options).arrival;
    } catch (error) {
      this.#isRefused ||= isBadImage(error);
      throw error;
    }
  }

  async writeManifest(manifest: Manifest, isRoot: boolean): Promise<void> {
    const { digest, bytes } = manifest;
    verifyDigest(bytes, digest, `the manifest of ${this.name}`);
    this.#staging.put({ digest }, bytes);
    if (!isIndex(manifest.mediaType)) this.#manifests.push(manifest);
    if (isRoot) this.#root = manifest;
  }

  async commit(): Promise<void> {
    const root = this.#root;
    if (root === undefined) throw new Error("an image without a root was committed");
    const images = this.#imagesOrRefusal();
    using _ = this.#store.rely();
    this.#staging.publish();
    const target = descriptorOf(root);
    for (const manifest of images) this.#store.add({ manifest: descriptorOf(manifest), target, ...this.#names });
    if (images.length === 0) for (const name of this.#names.names) this.#store.setList(name, target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRefused) this.#staging.discard(this.#isFromRemote);
    this.#staging[Symbol.dispose]();
  }

  #imagesOrRefusal(): Manifest[] {
    try {
      return this.#images();
    } catch (error) {
      this.#isRefused = isBadImage(error);
      throw error;
    }
  }

  /** The manifests of images; the last one is what the name stands for. */
  #images(): Manifest[] {
    const host = hostPlatform();
    const ranked = this.#manifests.flatMap((manifest) => {
      const name = `manifest ${manifest.digest} of ${this.name}`;
      const { config, layers } = parseDocument("manifest", manifest.bytes, name);
      // Other manifests (signatures, charts) are kept and are no images, whatever they give for a configuration.
      if (!isConfiguration(config.mediaType) || !layers.every(isLayer)) return [];
      const { platform, diffIds } = this.#configuration(config.digest);
      // Build tools put attestations beside images in the form of images.
      if (platform.os === "unknown") return [];
      identifyDescriptors(layers, diffIds, name);
      return [{ manifest, rank: platformRank(host, platform) }];
    });
    return ranked.sort((one, other) => one.rank - other.rank).map(({ manifest }) => manifest);
  }

  #configuration(digest: Digest): ImageConfiguration {
    return parseDocument("imageConfiguration", this.#staging.read(digest), `configuration ${digest} of ${this.name}`);
  }
}

function descriptorOf({ mediaType, digest, bytes }: Manifest): BlobDescriptor {
  return { mediaType, digest, size: bytes.length };
}
