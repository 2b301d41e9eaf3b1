import { resolve } from "node:path";
import { readArchiveMembers } from "../archive-members.ts";
import type { Digest } from "../digest.ts";
import { type Descriptor, invalidDocument } from "../documents.ts";
import { archiveFiles, directoryFiles } from "../layout-files.ts";
import { isIndex } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { type ArchiveOrigin, openArchiveInput } from "../transport/archive-input.ts";
import { type ArchivedImage, archivedImages } from "../transport/archived-images.ts";
import { type CopyEvent, copyImage } from "../transport/copy-image.ts";
import { isPlainDirectory, openPlainDirectoryReader } from "../transport/plain-directory.ts";
import { readRoot } from "../transport/read-manifests.ts";
import type { ImageReader } from "../transport/transport.ts";
import { visibleStatus } from "../transport/visible-status.ts";
import type { ImageStore } from "./image-store.ts";
import { manifestsOf } from "./index-members.ts";
import { type PullOptions, pullImage } from "./pull-image.ts";
import { StoreWriter } from "./store-writer.ts";

export interface LoadOptions {
  /** Which images of an index; all that are there where none is given. */
  readonly platforms: readonly Platform[];
  readonly signal: AbortSignal;
  /** Is told of the layers on their way. */
  readonly onProgress?: (event: CopyEvent) => void;
}

/** What was loaded under the same names: an image, or those of an index. */
export interface LoadedImage {
  /** That of the image that the names stand for is the first. */
  readonly ids: readonly [Digest, ...Digest[]];
  /** In full. */
  readonly names: readonly string[];
}

/**
 * Brings all images of an archive, or of a directory that is an image layout or has one image, into the store. Their
 * layers are unpacked when they are needed.
 * @param onLoaded is told of each image when it is there; those before a failure stay
 * @throws BunkerError as `openArchiveInput`, `archivedImages` and `pullImage` do
 */
export async function loadImages(
  store: ImageStore,
  origin: ArchiveOrigin,
  options: LoadOptions,
  onLoaded: (image: LoadedImage) => void,
): Promise<void> {
  const name = typeof origin === "string" ? origin : origin.name;
  const isDirectory = typeof origin === "string" && visibleStatus(origin)?.isDirectory() === true;
  await using input = await openArchiveInput(origin, store.directory, options.signal);
  const images = isDirectory
    ? await imagesOfDirectory(resolve(input.path), name)
    : await archivedImages(archiveFiles(readArchiveMembers(input.path, name), name), name);
  for (const { reader, names } of images) {
    const isOne = options.platforms.length === 1 || !isIndex((await readRoot(reader)).mediaType);
    const ids = isOne
      ? ([await storeImage(store, reader, names, { ...options, platform: options.platforms[0] })] as const)
      : await storeIndex(store, reader, names, options);
    onLoaded({ ids, names });
  }
}

async function imagesOfDirectory(path: string, name: string): Promise<readonly ArchivedImage[]> {
  if (isPlainDirectory(path)) return [{ names: [], reader: openPlainDirectoryReader(path, name) }];
  return archivedImages(directoryFiles(path, name), name);
}

/** Brings images of an index into the store, their layers packed; the index comes with them. Returns their ids. */
async function storeIndex(
  store: ImageStore,
  reader: ImageReader,
  names: readonly string[],
  { platforms, signal, onProgress = () => {} }: LoadOptions,
): Promise<LoadedImage["ids"]> {
  await using writer = new StoreWriter(store, reader.name, { names, repositories: [] });
  const images = platforms.length === 0 ? "present" : platforms;
  const { root } = await copyImage(reader, writer, { images, signal, onProgress });
  const [first, ...others] = store
    .own(manifestsOf(store, root))
    .sort((one, other) => other.names.length - one.names.length)
    .map(({ id }) => id);
  if (first === undefined && names.length === 0) {
    throw invalidDocument(reader.name, `its index ${root.digest} names no images`);
  }
  // An index of other things is kept under its name.
  return [first ?? root.digest, ...others];
}

interface StoreOptions extends Pick<LoadOptions, "signal" | "onProgress"> {
  readonly platform: Platform | undefined;
}

/**
 * Brings one image into the store, its layers packed.
 * @param names the full names, with tags, that it gets
 * @throws BunkerError as `pullImage`
 */
export async function storeImage(
  store: ImageStore,
  reader: ImageReader,
  names: readonly string[],
  { platform, signal, onProgress = () => {} }: StoreOptions,
): Promise<Digest> {
  const { id } = await pullImage(reader, store, {
    platform,
    names,
    repositories: [],
    unpacking: undefined,
    signal,
    ...layerEvents(onProgress),
    onWarning: () => {},
  });
  return id;
}

/** Tells of the layers of a pull as of blobs that are copied. */
function layerEvents(onProgress: (event: CopyEvent) => void): Pick<PullOptions, "onLayers" | "onEvent"> {
  const waiting = new Map<Digest, Descriptor>();
  const moving = new Map<Digest, Descriptor>();
  return {
    onLayers(layers) {
      for (const layer of layers) waiting.set(layer.digest, layer);
    },
    onEvent(event) {
      const { digest } = event;
      const first = waiting.get(digest);
      if (first !== undefined) {
        waiting.delete(digest);
        onProgress({ kind: event.kind === "exists" ? "present" : "begin", blob: first });
        if (event.kind !== "exists") moving.set(digest, first);
      }
      const blob = moving.get(digest);
      if (blob === undefined) return;
      if (event.kind === "bytes") onProgress({ kind: "bytes", blob, bytes: event.bytes });
      else if (event.kind === "downloaded") onProgress({ kind: "end", blob });
    },
  };
}
