import { BunkerError } from "../../sys/error.ts";
import { type Descriptor, invalidDocument } from "../documents.ts";
import { familiarReference, fullRepository, type Reference, withDefaultTag } from "../reference.ts";
import type { BlobReadOptions, ImageReader, Manifest } from "../transport/transport.ts";
import { downloadBlob } from "./blob-download.ts";
import { readManifest } from "./manifests.ts";
import type { Registries, Repository } from "./registries.ts";

/**
 * An image in a registry. Where registries.conf has mirrors for it, they are asked first, and what one does not have or
 * fails to give comes from the next; the registry itself is the last.
 */
export class RegistryReader implements ImageReader {
  readonly name: string;
  readonly isRemote = true;
  readonly reference: Reference;
  readonly #signal: AbortSignal;
  readonly #repositories: readonly Repository[];
  /** The place in `#repositories` of the one that gave the last manifest. */
  #preferred = 0;

  /**
   * @param reference without a tag and a digest it means `latest`
   * @param signal ends what is read
   * @throws BunkerError as `Registries.forPull`
   */
  constructor(registries: Registries, reference: Reference, signal: AbortSignal) {
    this.reference = withDefaultTag(reference);
    this.name = familiarReference(this.reference);
    this.#signal = signal;
    this.#repositories = registries.forPull(this.reference);
  }

  repositoriesOf(): readonly string[] {
    return [fullRepository(this.reference)];
  }

  async readManifest(descriptor?: Descriptor): Promise<Manifest> {
    const { digest, tag = "latest" } = this.reference;
    const name = descriptor === undefined ? this.name : `${this.name} (${descriptor.digest})`;
    const at = descriptor?.digest ?? digest ?? tag;
    const manifest = await this.#fromFirst(async (repository, place) => {
      const found = await readManifest(repository, at, name, this.#signal);
      this.#preferred = place;
      return found;
    });
    if (descriptor !== undefined && manifest.bytes.length !== descriptor.size) {
      throw invalidDocument(`the manifest of ${name}`, `it has ${manifest.bytes.length} bytes, not ${descriptor.size}`);
    }
    return manifest;
  }

  async *readBlob(descriptor: Descriptor, { signal, offset = 0 }: BlobReadOptions): AsyncGenerator<Buffer> {
    let position = offset;
    for (const [place, repository] of this.#inOrder()) {
      try {
        for await (const piece of downloadBlob(repository, descriptor, position, signal)) {
          position += piece.length;
          yield piece;
        }
        return;
      } catch (error) {
        if (!(error instanceof BunkerError) || place === this.#repositories.length - 1) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  get #last(): Repository {
    const last = this.#repositories.at(-1);
    if (last === undefined) throw new Error("a name stands for at least its own registry");
    return last;
  }

  /** From the repository that gave the last manifest on; there is nothing wrong with what comes before, but it had none. */
  #inOrder(): readonly (readonly [place: number, repository: Repository])[] {
    return [...this.#repositories.entries()].slice(this.#preferred);
  }

  async #fromFirst<Result>(read: (repository: Repository, place: number) => Promise<Result>): Promise<Result> {
    for (const [place, repository] of this.#inOrder()) {
      if (repository === this.#last) break;
      try {
        return await read(repository, place);
      } catch (error) {
        // A mirror may lack what it likes; only the registry itself has the last word.
        if (!(error instanceof BunkerError)) throw error;
      }
    }
    return read(this.#last, this.#repositories.length - 1);
  }
}
