import type { Image } from "../../image/image.ts";
import type { ImageSource } from "../../image/image-source.ts";
import { parsePlatform } from "../../image/platform.ts";
import type { ImageStore } from "../../image/store/image-store.ts";

/** What names an image, with its platform, in another process. */
export interface ImageRequest {
  readonly source: Exclude<ImageSource, { kind: "rootfs" }>;
  readonly platform: string | undefined;
  /** Bunker's data directory. */
  readonly data: string;
}

/**
 * Opens an image wherever it is on this machine; the code for that place alone is loaded.
 * @param opened the store of the data directory, if it is open; else it is opened when it is needed
 * @throws BunkerError as `openImage`, `ImageStore.find` and `ImageStore.open` do
 */
export async function openSource({ source, platform, data }: ImageRequest, opened?: ImageStore): Promise<Image> {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  if (source.kind === "oci") return (await import("../../image/open-directory.ts")).openDirectory(source, wanted);
  if (source.kind !== "stored") return (await import("../../image/open-image.ts")).openImage(source, wanted);
  if (opened !== undefined) return opened.open(opened.find(source.name, wanted), source.name);
  const { openImageStore } = await import("../../image/store/image-store.ts");
  using store = openImageStore(data);
  return store.open(store.find(source.name, wanted), source.name);
}
