import { streamBlob } from "../blob-stream.ts";
import type { Platform } from "../platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { manifestOf } from "../transport/manifest.ts";
import type { ImageReader } from "../transport/transport.ts";
import { type ImageStore, missingBlob } from "./image-store.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/**
 * Reads an image of the store.
 * @param text a name or an id
 * @param platform which one, where several are here by one name; `all` reads what was pulled or put together by that
 *   name, be it an index, of which some images may not be here
 * @throws BunkerError as `ImageStore.find`
 */
export function openStoreReader(store: ImageStore, text: string, platform: Platform | "all" | undefined): ImageReader {
  return readerOf(store, findRoot(store, text, platform), text);
}

function findRoot(store: ImageStore, text: string, platform: Platform | "all" | undefined): BlobDescriptor {
  const image = store.findIfThere(text, platform === "all" ? undefined : platform);
  const isId = image?.id.startsWith(text.startsWith("sha256:") ? text : `sha256:${text}`) === true;
  const name = isId ? undefined : formatReference(withDefaultTag(parseReference(text)));
  const target = name === undefined ? undefined : store.target(name);
  if (image === undefined || (platform === undefined && store.listOf(text) !== undefined)) {
    return target ?? store.find(text).manifest;
  }
  return platform === "all" ? (target ?? image.manifest) : image.manifest;
}

function readerOf(store: ImageStore, root: BlobDescriptor, name: string): ImageReader {
  return {
    name,
    readManifest: async (descriptor = { ...root, annotations: {} }) =>
      manifestOf(descriptor, store.readDocument(descriptor.digest), name),
    hasManifest: ({ digest }) => store.blobPath(digest) !== undefined,
    async *readBlob({ digest, size }, { signal, offset }) {
      const path = store.blobPath(digest);
      if (path === undefined) throw missingBlob(digest, store.directory);
      yield* streamBlob({ path, offset: 0, size }, signal, offset);
    },
    repositoriesOf: ({ digest }) => store.repositoriesOf(digest),
    [Symbol.asyncDispose]: async () => {},
  };
}
