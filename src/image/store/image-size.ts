import { unpackedSize } from "../layers/layer-directory.ts";
import type { StoredImage } from "./stored-image.ts";

/** Bytes that each layer of an image has, from the lowest to the uppermost: of its files, or packed until it is unpacked. */
export function layerSizes(image: Pick<StoredImage, "layers" | "store">): number[] {
  return image.layers.map((layer) => unpackedSize(layer, image.store) ?? layer.size);
}

/** Bytes of all layers of an image, as `layerSizes`. */
export function imageSize(image: Pick<StoredImage, "layers" | "store">): number {
  return layerSizes(image).reduce((sum, size) => sum + size, 0);
}

/** What images take, with those that they share counted once. */
export interface ImageUsage {
  /** Bytes of all layers. */
  readonly total: number;
  /** Bytes of an image's layers. */
  size(image: StoredImage): number;
  /** Bytes of an image's layers that other images have too. */
  shared(image: StoredImage): number;
}

/** Finds out what images take together, and which layers they share. */
export function imageUsage(images: readonly StoredImage[]): ImageUsage {
  const sizes = new Map<string, number>();
  const users = new Map<string, number>();
  for (const image of images) {
    for (const layer of image.layers) {
      const { chainId } = layer;
      // Each is looked at once, because each costs reading a file.
      if (!sizes.has(chainId)) sizes.set(chainId, unpackedSize(layer, image.store) ?? layer.size);
      users.set(chainId, (users.get(chainId) ?? 0) + 1);
    }
  }
  return {
    size: ({ layers }) => layers.reduce((sum, { chainId }) => sum + (sizes.get(chainId) ?? 0), 0),
    total: sizes.values().reduce((sum, size) => sum + size, 0),
    shared: ({ layers }) =>
      layers.reduce((sum, { chainId }) => sum + ((users.get(chainId) ?? 0) > 1 ? (sizes.get(chainId) ?? 0) : 0), 0),
  };
}
