/*
 * Bringing an image into the store and unpacking it, all at once.
 *
 *   reader ──pieces──▶ hash, partial file ──as it grows──▶ decompress ──▶ hash, files of the layer
 *
 * The file stands between the two halves: a download is never held up by the unpacking, one that is continued has its
 * beginning there, and the second half need not know how the bytes came. Decompression runs on threads of Bun's pool, and
 * files are made by processes without JavaScript (launch/call-queue.ts), beside this thread, which receives.
 *
 * Order: manifest; configuration and blobs, which the manifest tells all of, while threads for the layers start; when the
 * configuration is there, the locks of all layers to be unpacked, which a second process that wants the same image waits
 * for, bringing blobs meanwhile, and then finds everything done; then layers; one syncfs; layers, blobs, rows. See
 * unpack-layers.ts and blob-staging.ts for what a kill leaves: nothing that has to be repaired.
 */

import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { BunkerError } from "../../sys/error.ts";
import { isBadImage } from "../bad-image.ts";
import type { Digest } from "../digest.ts";
import {
  type Descriptor,
  invalidDocument,
  MAXIMUM_DOCUMENT_SIZE,
  type ManifestDocument,
  parseDocument,
} from "../documents.ts";
import type { Image, Layer } from "../image.ts";
import { identifyDescriptors } from "../image-layout.ts";
import { prepareDecompression } from "../layers/decompress.ts";
import { type LayerMapping, missingLayers } from "../layers/layer-directory.ts";
import { openPackedLayer, type PackedLayer } from "../layers/layer-stream.ts";
import { unpackLayers } from "../layers/unpack-layers.ts";
import { UnpackThreads } from "../layers/unpack-threads.ts";
import { checkPlatform } from "../manifest-choice.ts";
import { isConfiguration } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { readManifestFor, readRoot } from "../transport/read-manifests.ts";
import type { ImageReader, Manifest } from "../transport/transport.ts";
import { type ArrivingBlob, BlobStaging } from "./blob-staging.ts";
import type { ImageStore } from "./image-store.ts";

/** Blobs that are received at the same time; registries limit what one connection gives. */
const PARALLEL = 4;

/** What happens to a layer, for those who watch. */
export type PullEvent =
  | { readonly kind: "exists" | "downloaded" | "unpacked"; readonly digest: Digest }
  | { readonly kind: "bytes"; readonly digest: Digest; readonly bytes: number };

/** What is to be pulled, and how. */
export interface PullOptions {
  readonly platform: Platform | undefined;
  /** The full names, with tags, that the image gets. */
  readonly names: readonly string[];
  /** The full names of the repositories that it is known to be in. */
  readonly repositories: readonly string[];
  /** Where its layers are unpacked, and for which ids; undefined leaves them packed. */
  readonly unpacking:
    | {
        readonly store: string;
        readonly mapping: LayerMapping;
        /** Gives the namespace whose root makes the files, for a caller who is not root. */
        readonly root?: (() => RootNamespace) | undefined;
      }
    | undefined;
  readonly signal: AbortSignal;
  /** The layers, from the lowest to the uppermost, before anything is done with them; again where that has to begin anew. */
  readonly onLayers: (layers: readonly Descriptor[]) => void;
  readonly onEvent: (event: PullEvent) => void;
  readonly onWarning: (message: string) => void;
}

/** What was pulled. */
export interface PulledImage {
  /** What the name stands for at its source: a manifest, or an index. */
  readonly target: Manifest;
  readonly id: Digest;
  /** Whether the store had all of it, under these names. */
  readonly wasThere: boolean;
}

/**
 * Pulls an image. Without `root` it has to be done as root of the user namespace that the files are for; see
 * `unpackLayers`.
 * @throws BunkerError as reader, `unpackLayers` and `BlobStaging` do; what has arrived of blobs is kept then, unless the
 *   image is a bad one, and nothing else; see `BlobStaging.discard`
 */
export async function pullImage(reader: ImageReader, store: ImageStore, options: PullOptions): Promise<PulledImage> {
  // When the first request has set out.
  if (options.unpacking !== undefined) setImmediate(prepareDecompression);
  const target = await readRoot(reader);
  using staging = new BlobStaging(store.directory);
  try {
    return await pullStaged(reader, target, store, staging, options).catch((error) => {
      const damaged = isBadImage(error) ? staging.setAsideDamaged() : [];
      if (damaged.length === 0) throw error;
      for (const digest of damaged)
        options.onWarning(`${digest} has been damaged in the store; it is fetched once more`);
      return pullStaged(reader, target, store, staging, options);
    });
  } catch (error) {
    if (isBadImage(error)) staging.discard(reader.isRemote === true);
    throw error;
  }
}

async function pullStaged(
  reader: ImageReader,
  target: Manifest,
  store: ImageStore,
  staging: BlobStaging,
  options: PullOptions,
): Promise<PulledImage> {
  const { signal } = options;
  const manifest = await readManifestFor(reader, target, options.platform);
  const document = parseDocument("manifest", manifest.bytes, `manifest ${manifest.digest} of ${reader.name}`);
  const { config } = document;
  checkIsImage(config.mediaType, document.artifactType, reader.name);
  checkDocumentSize(config, reader.name);
  const blobs = [...new Map(document.layers.map((layer) => [layer.digest, layer])).values()];
  staging.checkRoom(blobs, reader.name);
  options.onLayers(document.layers);
  using threads = new UnpackThreads();
  if (options.unpacking !== undefined) {
    const absent = document.layers.filter((layer) => !staging.has(layer));
    threads.start(absent.map(({ size }) => size));
  }
  const wasThere = isThere(store, manifest, target, options);
  const transfer = new Transfer(reader, staging, blobs, options);
  try {
    const arrival = receiveConfiguration(reader, store, staging, config, signal);
    transfer.begin();
    const image = describeImage(await arrival, manifest, document, reader.name, staging, options);
    for (const { digest, bytes } of [target, manifest]) staging.put({ digest }, bytes);
    if (options.unpacking !== undefined) {
      await unpack(image, transfer, threads, options.unpacking, (digest) => staging.refuse(digest), options);
    }
    await transfer.finish();
  } finally {
    await transfer.stop();
  }

  using _ = store.rely();
  staging.publish();
  const sizeOf = ({ mediaType, digest, bytes }: Manifest) => ({ mediaType, digest, size: bytes.length });
  if (!wasThere || !isThere(store, manifest, target, options)) {
    const { names, repositories } = options;
    store.add({ manifest: sizeOf(manifest), target: sizeOf(target), names, repositories });
  }
  return { target, id: config.digest, wasThere };
}

/**
 * The image that a manifest and a configuration describe.
 * @throws BunkerError `image_invalid`, `platform_mismatch`; then what has come of its layers is as bad
 */
function describeImage(
  bytes: Buffer,
  manifest: Manifest,
  document: ManifestDocument,
  name: string,
  staging: BlobStaging,
  { platform }: PullOptions,
): Image {
  const { digest } = document.config;
  try {
    const configuration = parseDocument("imageConfiguration", bytes, `configuration of ${name}`);
    checkPlatform(configuration.platform, platform, name);
    const layers = identifyDescriptors(document.layers, configuration.diffIds, `manifest of ${name}`);
    return {
      name,
      digest: manifest.digest,
      configurationDigest: digest,
      configuration,
      layers: layers.map((layer) => ({ ...layer, blob: { path: "", offset: 0, size: layer.size } })),
    };
  } catch (error) {
    staging.refuse(digest);
    throw error;
  }
}

/** Whether the names stand for this image already. */
function isThere(
  store: ImageStore,
  { digest }: Manifest,
  target: Manifest,
  { names, repositories }: PullOptions,
): boolean {
  const [image] = store.own([digest]);
  return (
    image !== undefined &&
    names.every((name) => image.names.includes(name) && store.target(name)?.digest === target.digest) &&
    repositories.every((repository) => image.repositoryDigests.includes(`${repository}@${target.digest}`))
  );
}

async function unpack(
  image: Image,
  transfer: Transfer,
  threads: UnpackThreads,
  { store, mapping, root }: NonNullable<PullOptions["unpacking"]>,
  refuse: (digest: Digest) => void,
  { signal, onEvent, onWarning }: PullOptions,
): Promise<void> {
  const onUnpacked = ({ digest }: Layer) => {
    if (digest !== undefined) onEvent({ kind: "unpacked", digest });
  };
  const missing = missingLayers(image, store, mapping);
  for (const layer of image.layers) if (!missing.includes(layer)) onUnpacked(layer);
  if (missing.length === 0) return;
  await unpackLayers(image, missing, store, {
    mapping,
    root: root?.(),
    threads,
    onWarning,
    onUnpacked,
    onRefused: ({ digest }) => {
      if (digest !== undefined) refuse(digest);
    },
    signal,
    open: (layer) => transfer.open(layer),
  });
}

/** The blobs of the layers, on their way. */
class Transfer {
  readonly #reader: ImageReader;
  readonly #staging: BlobStaging;
  readonly #layers: readonly Descriptor[];
  readonly #options: PullOptions;
  readonly #stopped = new AbortController();
  readonly #arriving = new Map<Digest, PromiseWithResolvers<ArrivingBlob | undefined>>();
  /** Those that have the one reader that may follow their arrival. */
  readonly #opened = new Set<Digest>();
  #all: Promise<unknown> | undefined;

  /** @param layers each once */
  constructor(reader: ImageReader, staging: BlobStaging, layers: readonly Descriptor[], options: PullOptions) {
    this.#reader = reader;
    this.#staging = staging;
    this.#layers = layers;
    this.#options = options;
    for (const { digest } of this.#layers) {
      const blob = Promise.withResolvers<ArrivingBlob | undefined>();
      // What never sets out, because another one has failed, is waited for by nobody.
      blob.promise.catch(() => undefined);
      this.#arriving.set(digest, blob);
    }
  }

  /** Opens the packed bytes of a layer, which may be arriving still. */
  async open({ digest, blob: { size } }: Layer): Promise<PackedLayer> {
    if (digest === undefined) throw new Error("a layer of a manifest without a digest");
    const arriving = await this.#arriving.get(digest)?.promise;
    if (arriving !== undefined && !this.#opened.has(digest)) {
      this.#opened.add(digest);
      return { read: arriving.read, verify: () => undefined, [Symbol.asyncDispose]: async () => undefined };
    }
    // An image may have a layer twice: what one reader follows, the next one reads from its file.
    await arriving?.arrival;
    const path = this.#staging.path(digest);
    if (path === undefined) throw new Error("a layer that did not set out");
    return openPackedLayer({ path, offset: 0, size }, digest);
  }

  /** Has them set out; to be called once, first. */
  begin(): void {
    this.#all = this.#receiveAll();
    // Whoever waits for it is told.
    this.#all.catch(() => undefined);
  }

  /** Waits until all are there. */
  async finish(): Promise<void> {
    await this.#all;
  }

  /** Stops what is still on its way, and waits for that. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#all?.catch(() => undefined);
  }

  async #receiveAll(): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#stopped.signal]);
    const queue = this.#layers.values();
    const runQueue = async () => {
      for (const layer of queue) await this.#receive(layer, signal);
    };
    const queues = Array.from({ length: PARALLEL }, runQueue);
    const results = await Promise.allSettled(
      queues.map((queue) =>
        queue.catch((cause) => {
          this.#stopped.abort();
          for (const { reject } of this.#arriving.values()) reject(cause);
          throw cause;
        }),
      ),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #receive(layer: Descriptor, signal: AbortSignal): Promise<void> {
    const { digest } = layer;
    const { onEvent } = this.#options;
    signal.throwIfAborted();
    if (this.#staging.has(layer)) {
      onEvent({ kind: "exists", digest });
      this.#arriving.get(digest)?.resolve(undefined);
      return;
    }
    const blob = this.#staging.receive(layer, (offset) => this.#reader.readBlob(layer, { signal, offset }), {
      signal,
      onProgress: (bytes) => onEvent({ kind: "bytes", digest, bytes }),
      ownsPieces: true,
    });
    this.#arriving.get(digest)?.resolve(blob);
    await blob.arrival;
    onEvent({ kind: "downloaded", digest });
  }
}

/** @throws BunkerError for what registries keep beside images: charts, signatures, modules */
function checkIsImage(mediaType: string, artifactType: string | null | undefined, name: string): void {
  // Old registries name no type of a configuration.
  if (isConfiguration(mediaType) || mediaType === "application/octet-stream") return;
  throw new BunkerError({
    code: "not_an_image",
    operation: "pull",
    object: name,
    reason: `it is no image but an artifact, ${JSON.stringify(artifactType ?? mediaType)}`,
    hint: '"bunker copy" copies artifacts, for instance into an image layout (oci:DIR).',
  });
}

/** @throws BunkerError `image_invalid` for a configuration that is too large to be read */
function checkDocumentSize({ size }: Descriptor, name: string): void {
  if (size <= MAXIMUM_DOCUMENT_SIZE) return;
  throw invalidDocument(`configuration of ${name}`, `it has ${size} bytes, more than 4 MiB`);
}

/** Receives a configuration, or takes it from the store. */
async function receiveConfiguration(
  reader: ImageReader,
  store: ImageStore,
  staging: BlobStaging,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  const { digest } = descriptor;
  if (staging.has(descriptor)) return store.readDocument(digest);
  const read = (offset: number) => reader.readBlob(descriptor, { signal, offset });
  await staging.receive(descriptor, read, { signal, onProgress: () => undefined }).arrival;
  return staging.read(digest);
}
