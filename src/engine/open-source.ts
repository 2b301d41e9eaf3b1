import type { Image } from "../image/image.ts";
import type { ImageSource } from "../image/image-source.ts";
import { openImage } from "../image/open-image.ts";
import { parsePlatform } from "../image/platform.ts";
import { openImageStore } from "../image/store/image-store.ts";

/** What names an image, with its platform, in another process. */
export interface ImageRequest {
  readonly source: Exclude<ImageSource, { kind: "rootfs" }>;
  readonly platform: string | undefined;
  /** Bunker's data directory. */
  readonly data: string;
}

/**
 * Opens an image wherever it is on this machine.
 * @throws BunkerError as `openImage`, `ImageStore.find` and `ImageStore.open` do
 */
export function openSource({ source, platform, data }: ImageRequest): Image {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  if (source.kind !== "stored") return openImage(source, wanted);
  using store = openImageStore(data);
  return store.open(store.find(source.name, wanted), source.name);
}
