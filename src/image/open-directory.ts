import { resolvePath } from "../sys/resolve-path.ts";
import type { Image } from "./image.ts";
import { openLayout } from "./image-layout.ts";
import { formatImageSource, type LocalImageSource } from "./image-source.ts";
import { directoryFiles } from "./layout-files.ts";
import type { Platform } from "./platform.ts";

/**
 * Opens an image in a directory that is an OCI image layout: reads and verifies its three or four small documents.
 * @throws BunkerError as `openImage`
 */
export function openDirectory(source: LocalImageSource & { readonly kind: "oci" }, platform?: Platform): Image {
  const name = formatImageSource(source);
  return openLayout(directoryFiles(resolvePath(source.path), name), source.tag, platform, name);
}
