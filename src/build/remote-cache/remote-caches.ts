/*
 * The caches of `--cache-from`, of which a build takes what its own cache does not have.
 *
 * They are asked for a step's key only when the cache here does not know it, and a step asks before anything that it lies on
 * does; so of a build that is found whole, the layers of the target are fetched, and those of stages that it has only
 * copied from are not. A layer that is here already, on the same layers, is not fetched again.
 *
 * Whether a layer is what its key promises, nobody can tell: whoever writes a cache is trusted with the images that are
 * built from it, as in BuildKit. But a blob is what its digest says, and unpacks to what its diff id says; a chain has as
 * many layers as there are steps; and from an image it lies on the very image that the stage begins with. Where any of
 * that fails, or a blob cannot be had, the cache is warned of and not asked again, and the step is done as if there was none.
 * Only the key that was asked for comes to the layer: what else the cache claims is not believed before it is needed.
 */
import { open } from "node:fs/promises";
import { type Digest, splitDigest } from "../../image/digest.ts";
import { type Descriptor, invalidDocument } from "../../image/documents.ts";
import { compressionOf } from "../../image/layers/pack-layer.ts";
import { unpackLayer } from "../../image/layers/unpack-layer.ts";
import { Registries } from "../../image/registry/registries.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import { ociMediaType } from "../../image/transport/manifest-conversion.ts";
import type { ImageReader } from "../../image/transport/transport.ts";
import { verifyBlob } from "../../image/transport/verified-blob.ts";
import { BunkerError } from "../../sys/error.ts";
import { makeSharedDirectory } from "../../sys/named-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuiltLayer } from "../cache/build-cache.ts";
import { type BuildSession, directoriesOf } from "../graph/session.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { packingForm } from "../output/packed-layers.ts";
import { Vertex } from "../progress.ts";
import { type CacheSource, shownPlace } from "./cache-place.ts";
import { type OpenCache, openCache, type RemoteLayer } from "./open-cache.ts";

/** A step that is looked for. */
export interface WantedStep {
  readonly key: Digest;
  /** What has made each layer that is wanted, from the lowest to that of the step. */
  readonly descriptions: readonly string[];
  /** What the lowest of them lies on; `any` for a layer that does not depend on it. */
  readonly base: BaseImage | undefined | "any";
}

/** A layer elsewhere and the cache that has it. */
export interface FoundElsewhere {
  readonly cache: OpenCache;
  readonly layers: readonly RemoteLayer[];
}

interface Source {
  readonly name: string;
  cache: OpenCache | undefined;
}

/** The caches that one build may take from. */
export class RemoteCaches implements Disposable {
  readonly #places: readonly CacheSource[];
  readonly #registries: Registries;
  readonly #blobs = new Map<Digest, Promise<string>>();
  #directory: string | undefined;
  #sources: Promise<readonly Source[]> | undefined;

  /** @param onWarning as `Registries` takes it */
  constructor(places: readonly CacheSource[], settings: RegistrySettings, onWarning: (message: string) => void) {
    this.#places = places;
    this.#registries = new Registries(settings, onWarning);
  }

  [Symbol.dispose](): void {
    this.#registries[Symbol.dispose]();
    if (this.#directory !== undefined) removeTree(this.#directory);
  }

  /** The file of a blob that was fetched; it goes when the build ends. */
  fetched(digest: Digest): Promise<string> | undefined {
    return this.#blobs.get(digest);
  }

  /** Looks for a step without fetching anything. */
  async find(session: BuildSession, wanted: WantedStep): Promise<FoundElsewhere | undefined> {
    for (const source of await this.#open(session)) {
      const found = await this.#trying(session, source, async (cache) => {
        const chain = cache.find(wanted.key);
        return chain && { cache, layers: fittingLayers(chain, wanted, source.name) };
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Takes the layers of a step over into the build cache.
   * @returns from the lowest to the uppermost; undefined when no cache has it
   * @throws the reason of the session's signal
   */
  async take(session: BuildSession, wanted: WantedStep): Promise<readonly BuiltLayer[] | undefined> {
    for (const source of await this.#open(session)) {
      const layers = await this.#trying(session, source, async (cache) => {
        const chain = cache.find(wanted.key);
        if (chain === undefined) return undefined;
        return this.#fetchLayers(session, cache, fittingLayers(chain, wanted, source.name), wanted);
      });
      if (layers !== undefined) return layers;
    }
    return undefined;
  }

  #open(session: BuildSession): Promise<readonly Source[]> {
    this.#sources ??= Promise.all(this.#places.map((place) => this.#openSource(session, place)));
    return this.#sources;
  }

  async #openSource(session: BuildSession, place: CacheSource): Promise<Source> {
    const { observer, signal } = session;
    const name = shownPlace(place);
    const vertex = new Vertex(observer, `importing cache manifest from ${name}`);
    const source: Source = { name, cache: undefined };
    source.cache = await ignoring(session, source, () =>
      vertex.during(signal, () => openCache(place, this.#registries, signal)),
    );
    return source;
  }

  /** Asks one cache; for nothing once something was wrong with it. */
  #trying<Result>(
    session: BuildSession,
    source: Source,
    ask: (cache: OpenCache) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const { cache } = source;
    return cache === undefined ? Promise.resolve(undefined) : ignoring(session, source, () => ask(cache));
  }

  async #fetchLayers(
    session: BuildSession,
    { reader }: OpenCache,
    remote: readonly RemoteLayer[],
    { key, descriptions, base }: WantedStep,
  ): Promise<readonly BuiltLayer[]> {
    const layers: BuiltLayer[] = [];
    for (const { diffId } of remote) {
      const known = session.cache.findArchive(layers, diffId);
      if (known === undefined) break;
      layers.push(known);
    }
    const missing = remote.slice(layers.length);
    if (missing.length > 0) {
      const vertex = new Vertex(session.observer, `importing layers for ${descriptions.at(-1)}`);
      await vertex.during(session.signal, async () => {
        const blobs = missing.map((layer) => ({ layer, arrival: this.#fetch(session, reader, layer, vertex) }));
        await Promise.all(blobs.map(({ arrival }) => arrival));
        for (const { layer, arrival } of blobs) {
          const description = descriptions[layers.length] ?? "";
          layers.push(await unpackOne(session, layer, await arrival, { description, base, lower: [...layers] }));
        }
      });
    }
    const top = layers.at(-1);
    if (top !== undefined) session.cache.addKey(key, top);
    return layers;
  }

  #fetch(session: BuildSession, reader: ImageReader, { descriptor }: RemoteLayer, vertex: Vertex): Promise<string> {
    const { digest, size } = descriptor;
    let arrival = this.#blobs.get(digest);
    if (arrival === undefined) {
      vertex.status(digest, `${digest} ${size}B`);
      this.#directory ??= session.cache.makeStaging();
      arrival = fetchBlob(descriptor, reader, `${this.#directory}/${splitDigest(digest).hex}`, session.signal);
      this.#blobs.set(digest, arrival);
      arrival.then(
        () => vertex.status(digest, `${digest} ${size}B`, true),
        () => this.#blobs.delete(digest),
      );
    }
    return arrival;
  }
}

async function ignoring<Result>(
  { observer, signal }: BuildSession,
  source: Source,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof BunkerError)) throw error;
    source.cache = undefined;
    observer.warn(`the cache ${source.name} is not used: ${error.message}`);
    return undefined;
  }
}

/** Of the layers of a key those that the stage's steps have made. */
function fittingLayers(chain: readonly RemoteLayer[], { descriptions, base }: WantedStep, name: string) {
  const own = chain.slice(-descriptions.length);
  const below = chain.slice(0, -descriptions.length).map(({ diffId }) => diffId);
  if (own.length < descriptions.length) throw invalidDocument(`the cache of ${name}`, "layers of a stage are missing");
  const baseIds = base === "any" ? below : (base?.image.layers ?? []).map(({ diffId }) => diffId);
  if (below.length === 0 || String(below) === String(baseIds)) return own;
  throw invalidDocument(`the cache of ${name}`, "layers of a stage are on another image than the stage's");
}

async function fetchBlob(
  descriptor: Descriptor,
  reader: ImageReader,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  // Of a fetch that has failed something may be there.
  await using file = await open(path, "w", 0o600);
  const pieces = verifyBlob(descriptor, reader.readBlob(descriptor, { signal }), () => undefined);
  for await (const piece of pieces) await file.writeFile(piece);
  return path;
}

async function unpackOne(
  session: BuildSession,
  { descriptor, diffId, created }: RemoteLayer,
  blob: string,
  on: { readonly description: string; readonly base: WantedStep["base"]; readonly lower: readonly BuiltLayer[] },
): Promise<BuiltLayer> {
  const { cache, bases, ownership, signal, observer } = session;
  const { description, base, lower } = on;
  const root = { base: base === "any" ? undefined : base, layers: lower };
  const directories = await directoriesOf(root, session);
  const staging = cache.makeStaging();
  try {
    makeSharedDirectory(`${staging}/diff`, 0o755);
    const target = { directory: `${staging}/diff`, lower: directories, diffId, mapping: ownership.mapping };
    const losses = await bases.betweenImages(() => unpackLayer(blob, target, signal));
    for (const loss of losses) observer.warn(`${description}: ${loss}`);
    const layer = cache.add({ staging, lower, description, keys: [], created });
    const { digest, size } = descriptor;
    const mediaType = ociMediaType(descriptor.mediaType);
    const compression = compressionOf(mediaType);
    if (compression !== undefined) {
      const form = packingForm({ compression, level: undefined, latestTime: undefined });
      cache.noteBlob(layer, form, { mediaType, digest, size, diffId });
    }
    return layer;
  } catch (error) {
    removeTree(staging);
    throw error;
  }
}
