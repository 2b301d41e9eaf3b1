import { BunkerError } from "../../sys/error.ts";
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import { familiarReference, parseReference, type Reference, withDefaultTag } from "../reference.ts";
import type { ImageReader, ImageWriter, Manifest } from "../transport/transport.ts";
import { hasBlob, mountBlob, type UploadSession, uploadBlob } from "./blob-upload.ts";
import { putManifest } from "./manifests.ts";
import { addReferrer } from "./referrers.ts";
import type { Registries, Repository } from "./registries.ts";

/** The codes of errors by which a registry refuses a mount. */
const REFUSALS: readonly string[] = ["registry_unauthorized", "registry_denied", "registry_refused", "image_not_found"];

/**
 * A name in a registry that an image is written to. Blobs, and images that an index names, are there as soon as they
 * are written, which nobody sees; what the name stands for is written at the commit.
 */
export class RegistryWriter implements ImageWriter {
  readonly name: string;
  readonly #reference: Reference;
  readonly #registries: Registries;
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
    this.#registries = registries;
    this.#repository = registries.forPush(this.#reference);
  }

  async hasBlob(descriptor: Descriptor, from: ImageReader): Promise<boolean> {
    if (await hasBlob(this.#repository, descriptor, this.#signal)) return true;
    const { registry, repository } = this.#reference;
    const source = from
      .repositoriesOf?.(descriptor)
      .map(parseReference)
      .find((other) => other.registry === registry && other.repository !== repository);
    return source !== undefined && this.#mount(descriptor, source);
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

  /** Lets the registry take a blob over from another of its repositories, if it may and wants to. */
  async #mount(descriptor: Descriptor, source: Reference): Promise<boolean> {
    try {
      const { path } = this.#registries.forPush(source);
      const session = await mountBlob(this.#repository, descriptor, path, this.#signal);
      if (session !== undefined) this.#sessions.set(descriptor.digest, session);
      return session === undefined;
    } catch (error) {
      // Who may push here need not be allowed to pull there.
      if (error instanceof BunkerError && REFUSALS.includes(error.code)) return false;
      throw error;
    }
  }

  async #put(manifest: Manifest, at: string): Promise<void> {
    const { knowsReferrers } = await putManifest(this.#repository, manifest, at, this.name, this.#signal);
    if (!knowsReferrers) await addReferrer(this.#repository, manifest, this.name, this.#signal);
  }
}
