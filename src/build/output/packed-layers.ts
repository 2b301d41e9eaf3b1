/*
 * The layers of a built image as its manifest names them: packed. A layer of the cache is packed when an image with it is
 * first written somewhere, which intermediate stages never are; the cache remembers digest and diff id, and the store has
 * the bytes as long as an image in it needs them.
 *
 * The archive depends on the layer's files and on nothing else (image/layers/layer-diff.ts), and with SOURCE_DATE_EPOCH no
 * time in it is later than that: so whoever builds the same gets the same digests.
 */
import { randomUUID } from "node:crypto";
import { openSync } from "node:fs";
import { open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import type { Digest } from "../../image/digest.ts";
import type { Compression } from "../../image/layers/decompress.ts";
import { archiveEntries } from "../../image/layers/layer-diff.ts";
import { Losses } from "../../image/layers/losses.ts";
import { packLayer } from "../../image/layers/pack-layer.ts";
import { squashedEntries } from "../../image/layers/squashed-entries.ts";
import { type UpperEntry, upperEntries } from "../../image/layers/upper-directory.ts";
import type { LayerFile } from "../../image/store/new-image.ts";
import { writeError } from "../../image/transport/write-error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import type { BuiltLayer } from "../cache/build-cache.ts";
import type { Root } from "../graph/root.ts";
import { type BuildSession, directoriesOf } from "../graph/session.ts";
import { Slots } from "../graph/slots.ts";

/** How layers are packed. */
export interface Packing {
  readonly compression: Compression;
  /** Undefined: the usual one. */
  readonly level: number | undefined;
  /** Seconds since 1970 that no time in the archives is beyond; undefined leaves all as they are. */
  readonly latestTime: number | undefined;
}

/** A form of packing, as the cache notes it. */
export function packingForm({ compression, level, latestTime }: Packing): string {
  return [compression, level ?? "", latestTime ?? ""].join(":");
}

/** A packed layer and where its bytes are. */
export interface PackedLayer extends LayerFile {
  readonly diffId: Digest;
}

/**
 * Packs all layers of a root file system, as far as that was not done before. What an image brings stays as it is.
 * @param staging a directory for what has to be packed
 * @returns from the lowest to the uppermost
 * @throws BunkerError `no_space`, and as `archiveEntries`
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
  const squashed = await packOnce(session, top, form, packing, staging, async (open) =>
    squashedEntries(upper.map(open), (await directoriesOf({ base, layers: [] }, session)).map(open)),
  );
  return [...baseLayers(session, root), squashed];
}

/** What an image brings. */
function baseLayers({ store }: BuildSession, { base }: Root): readonly PackedLayer[] {
  return (base?.stored.layers ?? []).map(({ mediaType, digest, size, diffId }) => ({
    ...{ mediaType, digest, size, diffId },
    path: store.blobPath(digest) ?? "",
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
  return packOnce(session, layer, packingForm(packing), packing, staging, async (open) =>
    upperEntries(open(layer.directory), (await directoriesOf(below, session)).map(open)),
  );
}

/** @param entriesOf what the archive has; directories are opened for the time of the packing */
async function packOnce(
  session: BuildSession,
  layer: BuiltLayer,
  form: string,
  packing: Packing,
  staging: string,
  entriesOf: (open: (directory: string) => number) => Promise<Iterable<UpperEntry>>,
): Promise<PackedLayer> {
  const { cache, store, observer } = session;
  const known = cache.findBlob(layer, form);
  const present =
    known === undefined ? undefined : (store.blobPath(known.digest) ?? (await session.remote?.fetched(known.digest)));
  if (known !== undefined && present !== undefined) return { ...known, path: present };
  const path = `${staging}/${randomUUID()}`;
  const losses = new Losses();
  using cleanup = new DisposableStack();
  const entries = await entriesOf(
    (directory) =>
      cleanup.use(new FileDescriptor(openSync(directory, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY))).number,
  );
  const archive = archiveEntries(entries, { latestTime: packing.latestTime, lose: losses.add.bind(losses) });
  try {
    await using file = await open(path, "wx", 0o600);
    const packed = await packLayer(
      archive,
      packing.compression,
      async (bytes) => void (await file.write(bytes)),
      packing.level,
    );
    for (const message of losses.messages()) observer.warn(`${layer.description}: ${message}`);
    cache.noteBlob(layer, form, packed);
    return { ...packed, path };
  } catch (cause) {
    throw writeError(cause, "write", dirname(path));
  }
}
