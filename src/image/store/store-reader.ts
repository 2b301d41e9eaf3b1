/*
 * An image of the store, read while others may remove it: all of its blobs are opened at once, as long as nobody may
 * remove any (images.lock). An open file stays whatever becomes of its name, and this works as well in a store that
 * cannot be written or is full.
 */
import { type OpenFile, openFile, readDocument as readFile, verifyDigest } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { manifestOf } from "../transport/manifest.ts";
import type { ImageReader } from "../transport/transport.ts";
import { type ImageStore, missingBlob } from "./image-store.ts";
import { addReachableBlobs } from "./reachable-blobs.ts";
import type { BlobDescriptor } from "./stored-image.ts";

/** Reads an image, or an index of which some images may not be here. */
export interface StoreReader extends ImageReader {
  /** Whether a blob of the image is here. */
  has(digest: Digest): boolean;
  /**
   * Reads a manifest, index or configuration, and verifies it.
   * @throws BunkerError `blob_missing`, `digest_mismatch`
   */
  readDocument(digest: Digest): Buffer;
}

/**
 * Reads an image of the store; once this has returned, removing it takes nothing away.
 * @param text a name or an id
 * @param platform which one, where several are here by one name; `all` reads what was pulled or put together by that
 *   name, be it an index, of which some images may not be here
 * @throws BunkerError as `ImageStore.find`, `image_invalid`, `digest_mismatch`, `image_unreadable`
 */
export function openStoreReader(store: ImageStore, text: string, platform: Platform | "all" | undefined): StoreReader {
  using _ = store.rely();
  const root = findRoot(store, text, platform);
  using cleanup = new DisposableStack();
  const files = openBlobs(store, root, cleanup);
  return readerOf(store, root, text, files, cleanup.move());
}

function findRoot(store: ImageStore, text: string, platform: Platform | "all" | undefined): BlobDescriptor {
  // Nothing else will do for the platform that is asked for.
  if (platform !== undefined && platform !== "all") return store.find(text, platform).manifest;
  const image = store.findIfThere(text);
  const isId = image?.id.startsWith(text.startsWith("sha256:") ? text : `sha256:${text}`) === true;
  const name = isId ? undefined : formatReference(withDefaultTag(parseReference(text)));
  const target = name === undefined ? undefined : store.target(name);
  if (image === undefined || (platform === undefined && store.listOf(text) !== undefined)) {
    return target ?? store.find(text).manifest;
  }
  return platform === "all" ? (target ?? image.manifest) : image.manifest;
}

interface OpenBlob {
  readonly file: OpenFile;
  /** Where it was found; for messages. */
  readonly path: string;
}

function openBlobs(store: ImageStore, root: BlobDescriptor, cleanup: DisposableStack): ReadonlyMap<Digest, OpenBlob> {
  const digests = new Set<Digest>();
  addReachableBlobs(store, root, digests);
  const files = new Map<Digest, OpenBlob>();
  for (const digest of digests) {
    const path = store.blobPath(digest);
    if (path !== undefined) files.set(digest, { path, file: cleanup.use(openFile(path, path)) });
  }
  return files;
}

function readerOf(
  store: ImageStore,
  root: BlobDescriptor,
  name: string,
  files: ReadonlyMap<Digest, OpenBlob>,
  opened: Disposable,
): StoreReader {
  const find = (digest: Digest) => {
    const found = files.get(digest);
    if (found === undefined) throw missingBlob(digest, store.directory);
    // Opened again each time, so that each who reads has a position of his own.
    return { found: found.path, path: `/proc/self/fd/${found.file.descriptor}` };
  };
  const readDocument = (digest: Digest) => {
    const { found, path } = find(digest);
    const bytes = readFile(path, found);
    verifyDigest(bytes, digest, found);
    return bytes;
  };
  return {
    name,
    hintForDamage:
      "It is damaged in the store: remove the images that have it (bunker rmi), and pull or load them again.",
    has: (digest) => files.has(digest),
    readDocument,
    readManifest: async (descriptor = { ...root, annotations: {} }) =>
      manifestOf(descriptor, readDocument(descriptor.digest), name),
    hasManifest: ({ digest }) => files.has(digest),
    async *readBlob({ digest, size }, { signal, offset }) {
      const { found, path } = find(digest);
      yield* streamBlob({ path, offset: 0, size }, signal, offset, found);
    },
    repositoriesOf: ({ digest }) => store.repositoriesOf(digest),
    [Symbol.asyncDispose]: async () => opened[Symbol.dispose](),
  };
}
