import { streamBlob } from "../blob-stream.ts";
import { type Descriptor, parseDocument } from "../documents.ts";
import { readLayoutIndex } from "../image-layout.ts";
import { blobPath, type LayoutFiles, readBlob } from "../layout-files.ts";
import { chooseRoot } from "../manifest-choice.ts";
import type { Platform } from "../platform.ts";
import { manifestOf } from "./manifest.ts";
import type { ImageReader } from "./transport.ts";

/**
 * Reads an image of an OCI image layout, in a directory or an archive.
 * @param tag,platform as `openLayout`
 * @param name of the image, for messages
 * @throws BunkerError `image_invalid`, `image_not_found`, `image_ambiguous`, `platform_mismatch`, `digest_mismatch`
 */
export function openLayoutReader(
  files: LayoutFiles,
  tag: string | undefined,
  platform: Platform | undefined,
  name: string,
): ImageReader {
  const readIndex = (descriptor: Descriptor) =>
    parseDocument("index", readBlob(files, descriptor, "index"), `index ${descriptor.digest} of ${name}`);
  return layoutReader(files, chooseRoot(readLayoutIndex(files, name), tag, platform, readIndex, name), name);
}

/**
 * Reads one image of a layout.
 * @param root its manifest or index
 */
export function layoutReader(files: LayoutFiles, root: Descriptor, name: string): ImageReader {
  return {
    name,
    readManifest: async (descriptor = root) => manifestOf(descriptor, readBlob(files, descriptor, "manifest"), name),
    hasManifest: ({ digest }) => files.has(blobPath(digest)),
    async *readBlob(descriptor, { signal, offset }) {
      yield* streamBlob(files.locate(blobPath(descriptor.digest)), signal, offset);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
