/*
 * An image that a stage begins with, or that files are copied from. Its layers are unpacked when the first step needs
 * their files, which in a build that finds everything in the cache is never. From then on they are locked, so that nobody
 * removes them while the build lasts, even if the image is.
 */
import type { Digest } from "../../image/digest.ts";
import type { Image } from "../../image/image.ts";
import type { LayerMapping } from "../../image/layers/layer-directory.ts";
import { layerDirectory, layerLockPath, layerName, missingLayers } from "../../image/layers/layer-directory.ts";
import { lockStore, openLock } from "../../image/layers/store-lock.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { Lock, lock } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";

/** An image, as far as builds are concerned. */
export interface BaseImage {
  readonly image: Image;
  readonly stored: StoredImage;
  /** What the image's configuration says, as JSON. */
  readonly document: Buffer;
  /** As the Dockerfile has it, with the digest that its name stands for. */
  readonly shownName: string;
  /** Of the whole root file system. */
  readonly key: Digest;
}

/** The unpacked layers of images, for the time of a build. */
export class BaseLayers implements Disposable {
  readonly #store: string;
  readonly #mapping: LayerMapping;
  readonly #onWarning: (message: string) => void;
  readonly #signal: AbortSignal;
  readonly #locks = new DisposableStack();
  #isLocked = false;
  readonly #unpacked = new Map<Digest, Promise<readonly string[]>>();
  /** One after the other, since an image waits for layers that another one unpacks. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param store Bunker's data directory
   * @param signal ends what is being unpacked
   */
  constructor(store: string, mapping: LayerMapping, onWarning: (message: string) => void, signal: AbortSignal) {
    this.#store = store;
    this.#mapping = mapping;
    this.#onWarning = onWarning;
    this.#signal = signal;
  }

  [Symbol.dispose](): void {
    this.#locks.dispose();
  }

  /**
   * The directories of an image's layers, the uppermost first.
   * @throws BunkerError as `unpackLayers`
   */
  directories({ image }: BaseImage): Promise<readonly string[]> {
    const key = image.layers.at(-1)?.chainId;
    if (key === undefined) return Promise.resolve([]);
    let directories = this.#unpacked.get(key);
    if (directories === undefined) {
      directories = this.betweenImages(() => this.#unpack(image));
      this.#unpacked.set(key, directories);
    }
    return directories;
  }

  /** Does something while no image is being unpacked, which changes the process's umask. */
  betweenImages<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #unpack(image: Image): Promise<readonly string[]> {
    if (!this.#isLocked) this.#locks.use(lockStore(this.#store));
    this.#isLocked = true;
    for (;;) {
      const missing = missingLayers(image, this.#store, this.#mapping);
      if (missing.length > 0) {
        const { unpackLayers } = await import("../../image/layers/unpack-layers.ts");
        await unpackLayers(image, missing, this.#store, {
          mapping: this.#mapping,
          onWarning: this.#onWarning,
          signal: this.#signal,
        });
      }
      if (this.#lock(image)) break;
    }
    return image.layers.map((layer) => layerDirectory(layer, this.#store, this.#mapping)).reverse();
  }

  /** Returns whether all layers are there, now that nobody removes them any more. */
  #lock(image: Image): boolean {
    using locks = new DisposableStack();
    for (const layer of image.layers) {
      const file = locks.use(openLock(layerLockPath(`${this.#store}/tmp`, layerName(layer, this.#mapping))));
      check(lock(file.number, Lock.shared), "lock the layer", layer.diffId);
    }
    if (missingLayers(image, this.#store, this.#mapping).length > 0) return false;
    this.#locks.use(locks.move());
    return true;
  }
}
