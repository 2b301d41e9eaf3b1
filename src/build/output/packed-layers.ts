/*
 * The layers of a built image as its manifest names them: packed. A layer of the cache is packed when an image with it is
 * first written somewhere, which intermediate stages never are; the cache remembers digest and diff id, and the store has
 * the bytes as long as an image in it needs them.
 *
 * The archive depends on the layer's files and on nothing else (image/layers/layer-diff.ts), and with SOURCE_DATE_EPOCH no
 * time in it is later than that: so whoever builds the same gets the same digests.
 */
import { availableParallelism } from "node:os";
import type { Digest } from "../../image/digest.ts";
import type { Compression } from "../../image/layers/decompress.ts";
import type { LayerFile } from "../../image/store/new-image.ts";
import type { BuiltLayer } from "../cache/build-cache.ts";
import type { Root } from "../graph/root.ts";
import { type BuildSession, directoriesOf } from "../graph/session.ts";
import { Slots } from "../graph/slots.ts";
import { needRoot } from "../hand-over.ts";
import type { ArchiveContent } from "./pack-directories.ts";

/** How layers are packed. */
export interface Packing {
  readonly compression: Compression;
  /** Undefined: the usual one. */
  readonly level: number | undefined;
  /** Seconds since 1970 that no time in the archives is beyond; undefined leaves all as they are. */
  readonly latestTime: number | undefined;
  /** The same for those that none is before. */
  readonly earliestTime?: number | undefined;
}

/** A form of packing, as the cache notes it. */
export function packingForm({ compression, level, latestTime, earliestTime }: Packing): string {
  const bounds = [latestTime ?? "", ...(earliestTime === undefined ? [] : [earliestTime])];
  return [compression, level ?? "", ...bounds].join(":");
}

/** A packed layer and where its bytes are. */
export interface PackedLayer extends LayerFile {
  readonly diffId: Digest;
}

/**
 * Packs all layers of a root file system, as far as that was not done before. What an image brings stays as it is.
 * @param staging a directory for what has to be packed
 * @returns from the lowest to the uppermost
 * @throws BunkerError `no_space`, and as `archiveLayer`
 */
export async function packLayers(
  session: BuildSession,
  root: Root,
  packing: Packing,
  staging: string,
): Promise<readonly PackedLayer[]> {
  const { signal } = session;
  const slots = new Slots(availableParallelism());
  const packed = await Promise.all(
    root.layers.map((layer, place) =>
      slots.during(() => {
        signal.throwIfAborted();
        return packLayerOnce(session, layer, { ...root, layers: root.layers.slice(0, place) }, packing, staging);
      }),
    ),
  );
  return [...baseLayers(session, root), ...packed];
}

/**
 * The same with one layer instead of all that steps have made: `--squash`.
 * @throws BunkerError as `packLayers`
 */
export async function packSquashed(
  session: BuildSession,
  root: Root,
  packing: Packing,
  staging: string,
): Promise<readonly PackedLayer[]> {
  const { base, layers } = root;
  const top = layers.at(-1);
  if (top === undefined) return baseLayers(session, root);
  const upper = layers.map(({ directory }) => directory).reverse();
  // What is whited out depends on the image below, as layers of `--link` do not.
  const form = [packingForm(packing), "squashed", base?.key ?? "scratch"].join(" ");
  const squashed = await packOnce(session, top, form, packing, staging, async () => ({
    kind: "squashed",
    layers: upper,
    below: await directoriesOf({ base, layers: [] }, session),
  }));
  return [...baseLayers(session, root), squashed];
}

/**
 * The same with one layer for everything, what the image brings included: `--squash-all`.
 * @throws BunkerError as `packLayers`
 */
export async function packWhole(
  session: BuildSession,
  root: Root,
  packing: Packing,
  staging: string,
): Promise<readonly PackedLayer[]> {
  const contentOf = async () =>
    ({ kind: "squashed", layers: await directoriesOf(root, session), below: [] }) satisfies ArchiveContent;
  const top = root.layers.at(-1);
  const form = [packingForm(packing), "whole", root.base?.key ?? "scratch"].join(" ");
  if (top !== undefined) return [await packOnce(session, top, form, packing, staging, contentOf)];
  needRoot(session);
  const warn = (message: string) => session.observer.warn(message);
  return [await packAnew(await contentOf(), packing, staging, warn, session.signal)];
}

/** What an image brings. */
function baseLayers({ blobs }: BuildSession, { base }: Root): readonly PackedLayer[] {
  return (base?.stored.layers ?? []).map(({ mediaType, digest, size, diffId }) => ({
    ...{ mediaType, digest, size, diffId },
    path: blobs.get(digest),
  }));
}

/**
 * Packs a layer, if it is nowhere in this form.
 * @param below what it lies on
 * @throws BunkerError as `packLayers`
 */
export async function packLayerOnce(
  session: BuildSession,
  layer: BuiltLayer,
  below: Root,
  packing: Packing,
  staging: string,
): Promise<PackedLayer> {
  return packOnce(session, layer, packingForm(packing), packing, staging, async () => ({
    kind: "layer",
    layer: layer.directory,
    below: await directoriesOf(below, session),
  }));
}

async function packOnce(
  session: BuildSession,
  layer: BuiltLayer,
  form: string,
  packing: Packing,
  staging: string,
  contentOf: () => Promise<ArchiveContent>,
): Promise<PackedLayer> {
  const { cache, blobs, observer } = session;
  const known = cache.findBlob(layer, form);
  const present =
    known === undefined ? undefined : (blobs.find(known.digest) ?? (await session.remote?.fetched(known.digest)));
  if (known !== undefined && present !== undefined) return { ...known, path: present };
  needRoot(session);
  const warn = (message: string) => observer.warn(`${layer.description}: ${message}`);
  const packed = await packAnew(await contentOf(), packing, staging, warn, session.signal);
  cache.noteBlob(layer, form, packed);
  return packed;
}

async function packAnew(
  content: ArchiveContent,
  packing: Packing,
  staging: string,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<PackedLayer> {
  const { packDirectories } = await import("./pack-directories.ts");
  const path = `${staging}/${crypto.randomUUID()}`;
  return { ...(await packDirectories(content, packing, path, warn, signal)), path };
}
