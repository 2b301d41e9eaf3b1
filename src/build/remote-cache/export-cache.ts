/*
 * Writing the cache of a build elsewhere: a registry, or a directory with an image layout. What a step has come to is packed
 * as in an image, but for the times of its files, which stay; a registry that has the blob already is not sent it, and it is
 * not even packed then. Steps whose layers another cache has and this build has not needed go over from there as they are.
 *
 * With `mode=min` the cache has the steps of the target's own stage, which is enough to find it again whole; with `mode=max`
 * also those of all stages that it needs. Layers of the images that stages begin with are not in it: who builds has them.
 */

import { streamBlob } from "../../image/blob-stream.ts";
import { type Digest, digestOf } from "../../image/digest.ts";
import type { Descriptor } from "../../image/documents.ts";
import { TAG_ANNOTATION } from "../../image/manifest-choice.ts";
import { DOCKER_MANIFEST_LIST, INDEX_MEDIA_TYPE, OCI_MANIFEST } from "../../image/media-types.ts";
import { parseReference } from "../../image/reference.ts";
import { Registries } from "../../image/registry/registries.ts";
import { RegistryWriter } from "../../image/registry/registry-writer.ts";
import { copyBlobs } from "../../image/transport/copy-image.ts";
import { openDirectorySink } from "../../image/transport/directory-sink.ts";
import { openLayoutOutput } from "../../image/transport/layout-output.ts";
import { manifestOf } from "../../image/transport/manifest.ts";
import { dockerMediaType } from "../../image/transport/manifest-conversion.ts";
import type { BlobReadOptions, ImageReader, ImageWriter, Manifest } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuiltBlob, BuiltLayer } from "../cache/build-cache.ts";
import type { Root } from "../graph/root.ts";
import type { BuildSession } from "../graph/session.ts";
import type { RootNode, Step } from "../graph/step.ts";
import { packingForm, packLayerOnce } from "../output/packed-layers.ts";
import { Vertex } from "../progress.ts";
import {
  CACHE_CONFIGURATION,
  type CacheBlob,
  type CacheRecord,
  CREATED_ANNOTATION,
  DIFF_ID_ANNOTATION,
  formatCacheConfiguration,
} from "./cache-document.ts";
import { type ExportedCache, shownPlace } from "./cache-place.ts";

/** A layer to be written, and where its bytes come from. */
interface ExportedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly read: (options: BlobReadOptions) => AsyncIterable<Buffer>;
}

/** A step and the layers that it and those below it have made, from the lowest. */
interface ExportedStep {
  readonly key: Digest;
  readonly layers: readonly ExportedLayer[];
}

/** The documents of a cache. */
interface CacheImage {
  readonly manifest: Manifest;
  readonly configuration: { readonly descriptor: Descriptor; readonly bytes: Buffer };
  readonly layers: ReadonlyMap<Digest, ExportedLayer>;
}

/**
 * Writes the cache of a build.
 * @param targets what was built
 * @throws BunkerError what the place can meet, unless that is to be ignored
 */
export async function exportCache(
  session: BuildSession,
  destination: ExportedCache,
  targets: readonly RootNode[],
): Promise<void> {
  const { observer, signal, cache } = session;
  const kind = destination.type === "registry" ? "registry" : "client directory";
  const vertex = new Vertex(observer, `exporting cache to ${kind}`);
  const staging = cache.makeStaging();
  try {
    await vertex.during(signal, async () => {
      vertex.status("prepare", "preparing build cache for export");
      const steps: ExportedStep[] = [];
      for (const step of stepsOf(targets, destination.mode)) {
        const layers = await layersOf(session, step, destination, staging);
        if (layers !== undefined) steps.push({ key: (await step.keys()).ordinary, layers });
      }
      const image = cacheImage(steps, destination);
      vertex.status("prepare", "preparing build cache for export", true);
      vertex.status("write", `writing cache image manifest ${image.manifest.digest}`);
      await write(session, destination, image);
      vertex.status("write", `writing cache image manifest ${image.manifest.digest}`, true);
    });
  } catch (error) {
    if (signal.aborted || !destination.ignoresErrors || !(error instanceof BunkerError)) throw error;
    observer.warn(`the cache was not written to ${shownPlace(destination)}: ${error.message}`);
  } finally {
    removeTree(staging);
  }
}

/** The steps that are written, those that others lie on first. */
function stepsOf(targets: readonly RootNode[], mode: "min" | "max"): ReadonlySet<Step> {
  const steps = new Set<Step>();
  const collect = (node: RootNode, isInput: boolean) => {
    for (const step of node.chain()) {
      // What another's files are from outside is no use to anybody.
      if (steps.has(step) || (isInput && step.isContext)) continue;
      if (mode === "max") for (const read of step.reads()) collect(read, true);
      steps.add(step);
    }
  };
  for (const target of targets) collect(target, false);
  return steps;
}

async function layersOf(
  session: BuildSession,
  step: Step,
  destination: ExportedCache,
  staging: string,
): Promise<readonly ExportedLayer[] | undefined> {
  const wanted = await step.wanted();
  const own = session.cache.find(wanted.key);
  if (own !== undefined) return packedLayers(session, step.base(), own, destination, staging);
  const { remote } = session;
  const elsewhere = await remote?.find(session, wanted);
  if (remote === undefined || elsewhere === undefined) return undefined;
  const { reader } = elsewhere.cache;
  if (destination.forcesCompression) {
    const taken = await remote.take(session, wanted);
    return taken && packedLayers(session, step.base(), taken, destination, staging);
  }
  return elsewhere.layers.map((layer) => ({
    ...layer,
    read: (options) => reader.readBlob(layer.descriptor, options),
  }));
}

function packedLayers(
  session: BuildSession,
  base: Root["base"],
  layers: readonly BuiltLayer[],
  { compression, level }: ExportedCache,
  staging: string,
): Promise<readonly ExportedLayer[]> {
  const packing = { compression, level, latestTime: undefined };
  return Promise.all(
    layers.map(async (layer, place): Promise<ExportedLayer> => {
      const below = { base, layers: layers.slice(0, place) };
      const pack = () => packLayerOnce(session, layer, below, packing, staging);
      const known: BuiltBlob = session.cache.findBlob(layer, packingForm(packing)) ?? (await pack());
      const { mediaType, digest, size, diffId } = known;
      return {
        descriptor: { mediaType, digest, size, platform: undefined, annotations: {} },
        diffId,
        created: layer.created,
        async *read({ signal, offset = 0 }) {
          const { path } = await pack();
          yield* streamBlob({ path, offset: 0, size }, signal, offset);
        },
      };
    }),
  );
}

function cacheImage(steps: readonly ExportedStep[], { isImage, mediaTypes }: ExportedCache): CacheImage {
  const blobs: CacheBlob[] = [];
  const records: CacheRecord[] = [];
  const places = new Map<string, number>();
  const layers = new Map<Digest, ExportedLayer>();
  for (const { key, layers: chain } of steps) {
    let top = -1;
    for (const layer of chain) {
      const { digest } = layer.descriptor;
      const name = `${digest} ${top}`;
      let place = places.get(name);
      if (place === undefined) {
        place = blobs.push({ blob: digest, parent: top }) - 1;
        places.set(name, place);
      }
      if (!layers.has(digest)) layers.set(digest, layer);
      top = place;
    }
    const created = chain.at(-1)?.created;
    if (created !== undefined) records.push({ key, layer: top, created: new Date(created).toISOString() });
  }
  const bytes = formatCacheConfiguration(blobs, records);
  const convert = mediaTypes === "oci" ? (text: string) => text : dockerMediaType;
  const configuration = { mediaType: CACHE_CONFIGURATION, digest: digestOf(bytes), size: bytes.length };
  const entries = [...layers.values()].map(({ descriptor: { mediaType, digest, size }, diffId, created }) => ({
    ...{ mediaType: convert(mediaType), digest, size },
    annotations: { [CREATED_ANNOTATION]: new Date(created).toISOString(), [DIFF_ID_ANNOTATION]: diffId },
  }));
  const mediaType = isImage ? OCI_MANIFEST : mediaTypes === "oci" ? INDEX_MEDIA_TYPE : DOCKER_MANIFEST_LIST;
  const content = isImage ? { config: configuration, layers: entries } : { manifests: [...entries, configuration] };
  const document = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  return {
    manifest: manifestOf({ mediaType }, document, "the cache"),
    configuration: { descriptor: { ...configuration, platform: undefined, annotations: {} }, bytes },
    layers,
  };
}

async function write(session: BuildSession, destination: ExportedCache, image: CacheImage): Promise<void> {
  const { observer, signal } = session;
  if (destination.type === "registry") {
    using registries = new Registries(session.registrySettings, (message) => observer.warn(message));
    await using writer = new RegistryWriter(registries, parseReference(destination.name), signal);
    await writeTo(writer, image, signal);
    return;
  }
  await using layout = openLayoutOutput(openDirectorySink(destination.directory), "oci");
  const names = { annotations: [{ [TAG_ANNOTATION]: destination.tag }], repositoryTags: [] };
  await using writer = layout.writer(destination.directory, names);
  await writeTo(writer, image, signal);
  await layout.commit();
}

async function writeTo(
  writer: ImageWriter,
  { manifest, configuration, layers }: CacheImage,
  signal: AbortSignal,
): Promise<void> {
  const reader: ImageReader = {
    name: "the cache",
    readManifest: async () => manifest,
    async *readBlob({ digest }, options) {
      const layer = layers.get(digest);
      if (layer === undefined) yield configuration.bytes.subarray(options.offset ?? 0);
      else yield* layer.read(options);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const blobs = [configuration.descriptor, ...[...layers.values()].map(({ descriptor }) => descriptor)];
  await copyBlobs(blobs, reader, writer, { signal, onProgress: () => undefined });
  await writer.writeManifest(manifest, true);
  await writer.commit();
}
