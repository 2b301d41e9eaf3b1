import { statSync } from "node:fs";
import { resolve } from "node:path";
import { readArchiveMembers } from "../archive-members.ts";
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import { archiveFiles, directoryFiles } from "../layout-files.ts";
import type { Platform } from "../platform.ts";
import { type ArchiveOrigin, openArchiveInput } from "../transport/archive-input.ts";
import { archivedImages } from "../transport/archived-images.ts";
import type { CopyEvent } from "../transport/copy-image.ts";
import type { ImageReader } from "../transport/transport.ts";
import type { ImageStore } from "./image-store.ts";
import { type PullOptions, pullImage } from "./pull-image.ts";

export interface LoadOptions {
  readonly platform: Platform | undefined;
  readonly signal: AbortSignal;
  /** Is told of the layers on their way. */
  readonly onProgress?: (event: CopyEvent) => void;
}

/** An image that was loaded. */
export interface LoadedImage {
  readonly id: Digest;
  /** In full. */
  readonly names: readonly string[];
}

/**
 * Brings all images of an archive, or of a directory that is an image layout, into the store. Their layers are unpacked
 * when they are needed.
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
  const isDirectory = typeof origin === "string" && statSync(origin, { throwIfNoEntry: false })?.isDirectory();
  await using input = await openArchiveInput(origin, store.directory, options.signal);
  const files = isDirectory
    ? directoryFiles(resolve(input.path), name)
    : archiveFiles(readArchiveMembers(input.path, name), name);
  for (const image of await archivedImages(files, name)) {
    const id = await storeImage(store, image.reader, image.names, options);
    onLoaded({ id, names: image.names });
  }
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
  { platform, signal, onProgress = () => {} }: LoadOptions,
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
