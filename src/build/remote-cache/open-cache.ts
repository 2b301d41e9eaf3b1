/*
 * Reading a build cache that is kept elsewhere. Its documents are foreign: what they say is checked as far as it can be, and
 * a cache in which something is wrong is as good as none.
 */

import * as v from "valibot";
import { type Digest, digestSchema } from "../../image/digest.ts";
import { type Descriptor, invalidDocument, parseDocument } from "../../image/documents.ts";
import { readLayoutIndex } from "../../image/image-layout.ts";
import { directoryFiles } from "../../image/layout-files.ts";
import { TAG_ANNOTATION } from "../../image/manifest-choice.ts";
import { isIndex } from "../../image/media-types.ts";
import { parseReference } from "../../image/reference.ts";
import type { Registries } from "../../image/registry/registries.ts";
import { RegistryReader } from "../../image/registry/registry-reader.ts";
import { layoutReader } from "../../image/transport/layout-reader.ts";
import { readRoot } from "../../image/transport/read-manifests.ts";
import type { ImageReader, Manifest } from "../../image/transport/transport.ts";
import { verifyBlob } from "../../image/transport/verified-blob.ts";
import { BunkerError } from "../../sys/error.ts";
import {
  CACHE_CONFIGURATION,
  type CacheBlob,
  type CacheRecord,
  CREATED_ANNOTATION,
  DIFF_ID_ANNOTATION,
  INLINE_MEMBER,
  parseCacheConfiguration,
  parseInlineRecords,
} from "./cache-document.ts";
import type { CacheSource } from "./cache-place.ts";

/** Bytes that a cache's configuration may have; a record has about 200. */
const LARGEST_CONFIGURATION = 32 << 20;

/** A layer of a cache that is kept elsewhere. */
export interface RemoteLayer {
  readonly descriptor: Descriptor;
  /** What its archive has to be. */
  readonly diffId: Digest;
  /** Milliseconds since 1970. */
  readonly created: number;
}

/** A cache that is kept elsewhere, opened. */
export interface OpenCache {
  readonly reader: ImageReader;
  /**
   * The layers that a key comes to, from the lowest to the uppermost; the lowest may be those of the image that a stage
   * begins with.
   * @throws BunkerError `image_invalid`
   */
  find(key: Digest): readonly RemoteLayer[] | undefined;
}

/** The layers of one cache or image, by the places in its list. */
interface LayerList {
  readonly name: string;
  readonly blobs: readonly CacheBlob[];
  readonly layers: ReadonlyMap<Digest, RemoteLayer>;
}

const inlineSchema = v.object({
  [INLINE_MEMBER]: v.nullish(v.string()),
  created: v.nullish(v.string(), ""),
  rootfs: v.object({ diff_ids: v.nullish(v.array(digestSchema), []) }),
  history: v.nullish(
    v.array(v.object({ created: v.nullish(v.string(), ""), empty_layer: v.nullish(v.boolean(), false) })),
    [],
  ),
});

/**
 * Opens a cache; layers are not read yet.
 * @throws BunkerError `image_not_found`, `image_invalid`, `digest_mismatch`, and what the place itself can meet
 */
export async function openCache(source: CacheSource, registries: Registries, signal: AbortSignal): Promise<OpenCache> {
  const reader = readerOf(source, registries, signal);
  const records = new Map<Digest, { readonly list: LayerList; readonly layer: number }>();
  const take = (list: LayerList, found: readonly CacheRecord[]) => {
    for (const { key, layer } of found) if (!records.has(key)) records.set(key, { list, layer });
  };
  await readManifest(reader, await readRoot(reader), take, signal);
  return {
    reader,
    find(key) {
      const record = records.get(key);
      return record && chainOf(record.list, record.layer);
    },
  };
}

function readerOf(source: CacheSource, registries: Registries, signal: AbortSignal): ImageReader {
  if (source.type === "registry") return new RegistryReader(registries, parseReference(source.name), signal);
  const { directory, tag, digest } = source;
  const files = directoryFiles(directory, directory);
  const { manifests } = readLayoutIndex(files, directory);
  const root = manifests.find((each) =>
    digest === undefined ? each.annotations[TAG_ANNOTATION] === tag : each.digest === digest,
  );
  if (root !== undefined) return layoutReader(files, root, directory);
  throw new BunkerError({
    code: "image_not_found",
    operation: "find the cache",
    object: directory,
    reason: `there is no ${digest ?? tag} in it`,
  });
}

async function readManifest(
  reader: ImageReader,
  manifest: Manifest,
  take: (list: LayerList, records: readonly CacheRecord[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const name = `manifest ${manifest.digest} of ${reader.name}`;
  if (isIndex(manifest.mediaType)) {
    const { manifests } = parseDocument("index", manifest.bytes, name);
    const configuration = manifests.find(({ mediaType }) => mediaType === CACHE_CONFIGURATION);
    if (configuration !== undefined) {
      const layers = manifests.filter((each) => each !== configuration);
      take(...(await readConfiguration(reader, configuration, layers, signal)));
      return;
    }
    // Images for several platforms, with a cache in each; what is said about them has none.
    for (const entry of manifests) {
      if (isIndex(entry.mediaType) || entry.platform?.os === "unknown") continue;
      await readManifest(reader, await reader.readManifest(entry), take, signal);
    }
    return;
  }
  const { config, layers } = parseDocument("manifest", manifest.bytes, name);
  if (config.mediaType === CACHE_CONFIGURATION) take(...(await readConfiguration(reader, config, layers, signal)));
  else take(...(await readInline(reader, config, layers, signal)));
}

async function readConfiguration(
  reader: ImageReader,
  configuration: Descriptor,
  descriptors: readonly Descriptor[],
  signal: AbortSignal,
): Promise<[LayerList, readonly CacheRecord[]]> {
  const { layers: blobs, records } = parseCacheConfiguration(
    await readWhole(reader, configuration, signal),
    reader.name,
  );
  const layers = new Map(
    descriptors.flatMap((descriptor) => {
      const diffId = v.safeParse(digestSchema, descriptor.annotations[DIFF_ID_ANNOTATION]);
      const created = timeOf(descriptor.annotations[CREATED_ANNOTATION]);
      return diffId.success ? [[descriptor.digest, { descriptor, diffId: diffId.output, created }] as const] : [];
    }),
  );
  return [{ name: reader.name, blobs, layers }, records];
}

async function readInline(
  reader: ImageReader,
  configuration: Descriptor,
  descriptors: readonly Descriptor[],
  signal: AbortSignal,
): Promise<[LayerList, readonly CacheRecord[]]> {
  const bytes = await readWhole(reader, configuration, signal);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), inlineSchema), bytes.toString());
  if (!parsed.success) throw invalidDocument(`configuration of ${reader.name}`, parsed.issues[0].message);
  const { rootfs, created, history, [INLINE_MEMBER]: text } = parsed.output;
  const times = (history ?? []).filter(({ empty_layer: isEmpty }) => isEmpty !== true);
  const layers = descriptors.flatMap((descriptor, place) => {
    const diffId = (rootfs.diff_ids ?? [])[place];
    if (diffId === undefined) return [];
    return [[descriptor.digest, { descriptor, diffId, created: timeOf(times[place]?.created ?? created) }] as const];
  });
  const blobs = descriptors.map(({ digest }, place) => ({ blob: digest, parent: place - 1 }));
  const list = { name: reader.name, blobs, layers: new Map(layers) };
  return [list, text == null ? [] : parseInlineRecords(text, reader.name)];
}

/** A layer and those that it says it lies on. */
function chainOf({ name, blobs, layers }: LayerList, top: number): readonly RemoteLayer[] {
  const chain: RemoteLayer[] = [];
  for (let place = top; place !== -1; ) {
    const entry = blobs[place];
    const layer = entry && layers.get(entry.blob);
    if (entry === undefined || layer === undefined || chain.length >= blobs.length) {
      throw invalidDocument(`the cache of ${name}`, `layer ${place} is not there, or lies on itself`);
    }
    chain.push(layer);
    place = entry.parent;
  }
  return chain.reverse();
}

async function readWhole(reader: ImageReader, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
  if (descriptor.size > LARGEST_CONFIGURATION) {
    throw invalidDocument(`configuration of ${reader.name}`, `it has ${descriptor.size} bytes, more than 32 MiB`);
  }
  const pieces: Buffer[] = [];
  const received = verifyBlob(descriptor, reader.readBlob(descriptor, { signal }), () => undefined);
  for await (const piece of received) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Milliseconds since 1970 of a time in RFC 3339; now for one that is none. */
function timeOf(text: string | undefined): number {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? Date.now() : time;
}
