/*
 * Images of the store in one place on disk, as `docker save` and `podman save` write them.
 *
 * In an archive of Docker's an image's name in the layout is its tag, as Docker writes it. In OCI's forms it is the full
 * name, as Podman writes it and reads it again; the name for containerd is beside it in both.
 *
 * A list of images may name some that are in a registry only; what is to be saved of those is fetched from there.
 */
import { BunkerError } from "../../sys/error.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { openListReader } from "../manifest-list/list-reader.ts";
import { findListIfThere } from "../manifest-list/list-store.ts";
import type { Platform } from "../platform.ts";
import { formatReference, parseReference, type Reference } from "../reference.ts";
import type { Registries } from "../registry/registries.ts";
import type { ImageStore } from "../store/image-store.ts";
import { namesOfRepository } from "../store/names-of-repository.ts";
import { openStoreReader } from "../store/store-reader.ts";
import { openArchiveSink } from "./archive-sink.ts";
import { openFileOutput, standardOutput } from "./byte-output.ts";
import { type CopyEvent, copyImage } from "./copy-image.ts";
import { openDirectorySink } from "./directory-sink.ts";
import { FULL_NAME_ANNOTATION, type OutputNames, openLayoutOutput } from "./layout-output.ts";
import type { LayoutSink } from "./layout-sink.ts";
import { dockerArchiveNames } from "./local-places.ts";
import { openPlainDirectoryWriter } from "./plain-directory.ts";
import { isPlainLayer, openRecompressedReader } from "./recompressed-reader.ts";
import { sourceDateEpoch } from "./source-date-epoch.ts";
import type { ImageReader } from "./transport.ts";

/** The forms, by the names that Podman gives them. */
type SaveFormat = "docker-archive" | "oci-archive" | "oci-dir" | "docker-dir";

export interface SaveOptions {
  readonly format: SaveFormat;
  /** A path; undefined writes an archive to standard output. */
  readonly output: string | undefined;
  /** Whether layers that are not packed are packed with gzip, in `docker-dir`. */
  readonly compress: boolean;
  /** Which images of an index; of several platforms the index is saved, too. */
  readonly platforms: readonly Platform[];
  /** Where images of lists are found that are not here. */
  readonly registries: Registries;
  readonly signal: AbortSignal;
  readonly onProgress: (event: CopyEvent) => void;
}

/** An image to be saved, and its full names in what is saved. */
interface SavedImage {
  readonly text: string;
  readonly names: readonly string[];
  /** Whether it is chosen from a list of images, not all of which need be here. */
  readonly isOfList: boolean;
}

/**
 * Saves images.
 * @param texts names or ids. A name without a tag means all images of that repository, as in Docker
 * @throws BunkerError `image_not_found`, `several_images`, `platform_mismatch`, and as `copyImage`; what was at the place is untouched then
 */
export async function saveImages(store: ImageStore, texts: readonly string[], options: SaveOptions): Promise<void> {
  const images = texts.flatMap((text) => imagesOf(store, text, options.platforms));
  if (options.format === "docker-dir") {
    await saveOne(store, images, options);
    return;
  }
  const form = options.format === "docker-archive" ? "docker" : "oci";
  // Found before anything is written, so that nothing is when one of them is missing.
  await using opened = new AsyncDisposableStack();
  const readers = images.map((image) => ({ ...image, reader: opened.use(openReader(store, image, options)) }));
  await using output = openLayoutOutput(await openSink(options), form);
  for (const { text, names, reader } of readers) {
    const named = form === "docker" ? dockerArchiveNames(names) : layoutNames(names);
    await copyImage(reader, output.writer(text, named), { ...options, images: options.platforms });
  }
  await output.commit();
}

async function saveOne(store: ImageStore, images: readonly SavedImage[], options: SaveOptions): Promise<void> {
  const [image, second] = images;
  if (image === undefined || second !== undefined) {
    throw new BunkerError({
      code: "several_images",
      operation: `save ${images.length} images as docker-dir`,
      reason: "such a directory has room for one",
      hint: "Choose another --format, or save each by itself.",
    });
  }
  const path = options.output ?? "";
  await using writer = openPlainDirectoryWriter(path, `dir:${path}`);
  const { compress, platforms, signal } = options;
  await using stored = openReader(store, image, options);
  const isToBePacked = compress && (image.isOfList || store.find(image.text, platforms[0]).layers.some(isPlainLayer));
  const packing = { compression: "gzip", level: undefined, layers: "plain" } as const;
  await using reader = isToBePacked
    ? openRecompressedReader(stored, packing, store.directory, signal, platforms)
    : stored;
  await copyImage(reader, writer, { ...options, images: platforms });
}

function openReader(
  store: ImageStore,
  { text, isOfList }: SavedImage,
  { platforms, registries, signal }: SaveOptions,
): ImageReader {
  const list = isOfList ? findListIfThere(store, text) : undefined;
  if (list !== undefined) return openListReader(store, list, registries, signal);
  return openStoreReader(store, text, platforms.length > 1 ? "all" : platforms[0]);
}

async function openSink({ format, output, signal }: SaveOptions): Promise<LayoutSink> {
  if (format === "oci-dir") return openDirectorySink(output ?? "");
  const bytes = output === undefined ? standardOutput(signal) : await openFileOutput(output, signal);
  return openArchiveSink(bytes, sourceDateEpoch() ?? 0);
}

function imagesOf(store: ImageStore, text: string, platforms: readonly Platform[]): SavedImage[] {
  const reference = referenceOf(text);
  if (reference !== undefined && reference.tag === undefined && reference.digest === undefined) {
    const names = namesOfRepository(store, reference);
    if (names.length > 0) return names.map((name) => savedImage(store, name, name, platforms));
  }
  const name = reference?.tag === undefined ? undefined : formatReference({ ...reference, digest: undefined });
  return [savedImage(store, text, name, platforms)];
}

/** @param name what it may be called, in full */
function savedImage(
  store: ImageStore,
  text: string,
  name: string | undefined,
  platforms: readonly Platform[],
): SavedImage {
  const list = store.listOf(text);
  if (list !== undefined) return { text, names: [list.name], isOfList: true };
  const image = store.find(text, platforms[0]);
  for (const platform of platforms.slice(1)) store.find(text, platform);
  // Of those that are here as part of an index only one has the name.
  const isName = name !== undefined && (image.names.includes(name) || store.target(name) !== undefined);
  return { text, names: isName ? [name] : [], isOfList: false };
}

/** An id is no name, although most look like one. */
function referenceOf(text: string): Reference | undefined {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text) || text.startsWith("sha256:") ? undefined : parseReference(text);
}

function layoutNames(names: readonly string[]): OutputNames {
  return {
    annotations: names.map((name) => ({ [FULL_NAME_ANNOTATION]: name, [TAG_ANNOTATION]: name })),
    repositoryTags: [],
  };
}
