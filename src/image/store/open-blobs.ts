import { BunkerError } from "../../sys/error.ts";
import { type OpenFile, openFile } from "../blob.ts";
import type { Digest } from "../digest.ts";
import type { Image } from "../image.ts";
import { type ImageStore, missingBlob } from "./image-store.ts";
import type { StoredImage } from "./stored-image.ts";

/**
 * Blobs of a store that somebody needs for a while. They are open, so that their bytes stay, whoever removes the images
 * that had them; and this works as well in a store that cannot be written.
 */
export class OpenBlobs implements Disposable {
  readonly #store: ImageStore;
  readonly #files = new Map<Digest, OpenFile>();

  constructor(store: ImageStore) {
    this.#store = store;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  /**
   * Opens a blob, unless that was done before.
   * @returns where this process can read it from now on; undefined where no store has it
   * @throws BunkerError `image_unreadable`
   */
  find(digest: Digest): string | undefined {
    const file = this.#files.get(digest) ?? this.#open(digest);
    return file === undefined ? undefined : `/proc/self/fd/${file.descriptor}`;
  }

  /**
   * The same for a blob that has to be there.
   * @throws BunkerError `blob_missing`, `image_unreadable`
   */
  get(digest: Digest): string {
    const path = this.find(digest);
    if (path === undefined) throw missingBlob(digest, this.#store.directory);
    return path;
  }

  /**
   * Opens the layers of an image, as far as they are there.
   * @param name as for `ImageStore.open`
   * @returns the image, whose layers are read from here
   * @throws BunkerError as `ImageStore.open`, `image_unreadable`
   */
  image(stored: StoredImage, name: string): Image {
    const image = this.#store.open(stored, name);
    const layers = image.layers.map((layer) => {
      const path = layer.digest === undefined ? undefined : this.find(layer.digest);
      return path === undefined ? layer : { ...layer, blob: { ...layer.blob, path } };
    });
    return { ...image, layers };
  }

  #open(digest: Digest): OpenFile | undefined {
    const path = this.#store.blobPath(digest);
    if (path === undefined) return undefined;
    try {
      const file = openFile(path, path);
      this.#files.set(digest, file);
      return file;
    } catch (error) {
      // Removed just now.
      if (error instanceof BunkerError && error.code === "image_not_found") return undefined;
      throw error;
    }
  }
}
