import { statSync } from "node:fs";
import { readLayoutIndex } from "../../image/image-layout.ts";
import { blobPath, directoryFiles } from "../../image/layout-files.ts";
import { TAG_ANNOTATION } from "../../image/manifest-choice.ts";
import type { Platform } from "../../image/platform.ts";
import { layoutReader, openLayoutReader } from "../../image/transport/layout-reader.ts";
import type { ImageReader } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";
import type { LayoutReference } from "./layout-reference.ts";

const DEFAULT_TAG = "latest";

/**
 * Opens an image of a layout. Without tag and digest that is the one called `latest`, or the only one.
 * @param name for messages
 * @throws BunkerError `context_not_found`, and as `openLayoutReader`
 */
export function openLayoutImage(
  { directory, tag, digest }: LayoutReference,
  platform: Platform,
  name: string,
): ImageReader {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    throw new BunkerError({
      code: "context_not_found",
      operation: "open the build context",
      object: directory,
      reason: "there is no such directory",
      exitStatus: 1,
    });
  }
  const files = directoryFiles(directory, name);
  const { manifests } = readLayoutIndex(files, name);
  if (digest !== undefined) {
    const known = manifests.find((each) => each.digest === digest);
    const { size } = files.locate(blobPath(digest));
    return layoutReader(files, known ?? { mediaType: "", digest, size, platform: undefined, annotations: {} }, name);
  }
  const hasLatest = manifests.some(({ annotations }) => annotations[TAG_ANNOTATION] === DEFAULT_TAG);
  return openLayoutReader(files, tag ?? (hasLatest ? DEFAULT_TAG : undefined), platform, name);
}
