/* What the image store says of containers' images. */
import type { Container } from "../../engine/state/containers.ts";
import { formatPlatform, hostPlatform } from "../../image/platform.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { BunkerError } from "../../sys/error.ts";

/** Makes what tells the platform of a container by its image's id; without such an image it is the host's. */
export function platformReader(data: string): (imageId: string) => string {
  const known = new Map<string, string>();
  return (imageId) => {
    const before = known.get(imageId);
    if (before !== undefined) return before;
    using store = openImageStore(data);
    const platform = imageId === "" ? undefined : store.findIfThere(imageId)?.platform;
    const text = formatPlatform(platform ?? hostPlatform());
    known.set(imageId, text);
    return text;
  };
}

/**
 * The test of `--filter ancestor=…`: whether a container is of one of these images, by a name that it or its image has, by
 * an id, or by the beginning of one, or of an image that has been made on top of one.
 * @throws BunkerError `image_ambiguous`
 */
export function ancestorFilter(data: string, wanted: readonly string[]): (container: Container) => boolean {
  using store = openImageStore(data);
  const ancestors = wanted.flatMap((text) => find(store, text) ?? []);
  const images = new Map(store.list().map((image) => [image.id as string, image]));
  return ({ definition: { image, imageId } }) => {
    if (wanted.some((text) => isCalled(image, imageId, text))) return true;
    const own = images.get(imageId);
    return ancestors.some((ancestor) => imageId === ancestor.id || (own !== undefined && isOnTopOf(own, ancestor)));
  };
}

/** An image in the store; containers are also of images elsewhere, whose names cannot be in it. */
function find(store: ImageStore, text: string): StoredImage | undefined {
  try {
    return store.findIfThere(text);
  } catch (error) {
    if (error instanceof BunkerError && error.code === "invalid_reference") return undefined;
    throw error;
  }
}

/** What is left to look at of a container whose image has been removed, or has lost its name to another. */
function isCalled(image: string, imageId: string, text: string): boolean {
  const id = imageId.slice(imageId.indexOf(":") + 1);
  return image === text || image === `${text}:latest` || imageId === text || (text.length >= 4 && id.startsWith(text));
}

/** Whether an image has the layers of another and more. */
function isOnTopOf({ layers }: StoredImage, ancestor: StoredImage): boolean {
  const top = ancestor.layers.at(-1);
  return (
    top !== undefined &&
    layers[ancestor.layers.length - 1]?.chainId === top.chainId &&
    layers.length > ancestor.layers.length
  );
}
