import { BunkerError } from "../../sys/error.ts";
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import { familiarReference, type Reference, withDefaultTag } from "../reference.ts";
import type { ImageReader, ImageWriter, Manifest } from "../transport/transport.ts";
import { hasBlob, mountBlob, type UploadSession, uploadBlob } from "./blob-upload.ts";
import { putManifest } from "./manifests.ts";
import { addReferrer } from "./referrers.ts";
import type { Registries, Repository } from "./registries.ts";
import { RegistryReader } from "./registry-reader.ts";

/**
 * A name in a registry that an image is written to. Blobs, and images that an index names, are there as soon as they
 * are written, which nobody sees; what the name stands for is written at the commit.
 */
export class RegistryWriter implements ImageWriter {
  readonly name: string;
  readonly #reference: Reference;
  readonly #repository: Repository;
  readonly #signal: AbortSignal;
  /** Uploads that the registry has opened instead of mounting the blob. */
  readonly #sessions = new Map<Digest, UploadSession>();
  #root: Manifest | undefined;

  /**
   * @param reference without a tag and a digest it means `latest`
   * @param signal ends what is asked of the registry
   * @throws BunkerError as `Registries.forPush`
   */
  constructor(registries: Registries, reference: Reference, signal: AbortSignal) {
    this.#reference = withDefaultTag(reference);
    this.name = familiarReference(this.#reference);
    this.#signal = signal;
    this.#repository = registries.forPush(this.#reference);
  }

  async hasBlob(descriptor: Descriptor, from: ImageReader): Promise<boolean> {
    if (await hasBlob(this.#repository, descriptor, this.#signal)) return true;
    const source = from instanceof RegistryReader ? from.repository : undefined;
    if (source?.client.registry !== this.#repository.client.registry) return false;
    const session = await mountBlob(this.#repository, descriptor, source.path, this.#signal);
    if (session !== undefined) this.#sessions.set(descriptor.digest, session);
    return session === undefined;
  }

  async writeBlob(
    descriptor: Descriptor,
    read: (offset: number) => AsyncIterable<Buffer>,
    options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void },
  ): Promise<void> {
    const session = this.#sessions.get(descriptor.digest);
    this.#sessions.delete(descriptor.digest);
    await uploadBlob(this.#repository, descriptor, { ...options, read, session });
  }

  async writeManifest(manifest: Manifest, isRoot: boolean): Promise<void> {
    if (isRoot) this.#root = manifest;
    else await this.#put(manifest, manifest.digest);
  }

  async commit(): Promise<void> {
    if (this.#root === undefined) return;
    const { digest, tag } = this.#reference;
    if (digest !== undefined && digest !== this.#root.digest) {
      throw new BunkerError({
        code: "digest_mismatch",
        operation: "write the manifest of",
        object: this.name,
        reason: `the image's digest is ${this.#root.digest}`,
      });
    }
    await this.#put(this.#root, tag ?? this.#root.digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #put(manifest: Manifest, at: string): Promise<void> {
    const { knowsReferrers } = await putManifest(this.#repository, manifest, at, this.name, this.#signal);
    if (!knowsReferrers) await addReferrer(this.#repository, manifest, this.name, this.#signal);
  }
}
