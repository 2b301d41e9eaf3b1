/*
 * Unpacking the layers of an image.
 *
 * Every layer grows in `<store>/tmp`, several at a time, and is verified while it streams. When all are there, the
 * directories that an archive only implies get what the layers below say of them, one syncfs(2) brings everything to
 * the disk, and renames make the layers visible, from the lowest to the uppermost. So a layer that can be seen is
 * whole and verified, and lies on layers that can be seen, whenever the power goes.
 *
 * Processes that want the same layer wait for each other by locks, one for each layer, that all take from the lowest
 * layer to the uppermost; chain ids make that the same order for all, so nobody waits in a circle. Whoever removes a
 * layer takes its lock as well. The lock files live in `tmp/` too: that is swept only when nobody can be holding or
 * awaiting one.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { asRoot, RootCalls } from "../../runtime/root-calls.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { type ByteString, encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import {
  Lock,
  lock,
  makeDirectoryAt,
  renameAt,
  setUmask,
  synchronize,
  synchronizeFileSystem,
  unlinkAt,
} from "../../sys/file.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
import { removeTreeAt } from "../../sys/remove-tree.ts";
import { check } from "../../sys/system-call.ts";
import { isBadImage } from "../bad-image.ts";
import type { Image, Layer } from "../image.ts";
import {
  type LayerMapping,
  layerDirectory,
  layerLockPath,
  layerName,
  missingLayers,
  SIZE_FILE,
} from "./layer-directory.ts";
import { openPackedLayer, type PackedLayer } from "./layer-stream.ts";
import type { LayerUnpacker, UnpackedLayer } from "./layer-unpacker.ts";
import { lockStore, openDirectory, openLock, type StoreLock, waitAMoment } from "./store-lock.ts";
import { checkEntry } from "./unpack-error.ts";
import { UnpackThreads } from "./unpack-threads.ts";

/** Layers that are unpacked at the same time at most. */
const MAXIMUM_PARALLEL = 4;

export interface UnpackOptions {
  readonly mapping: LayerMapping;
  /** Opens the packed bytes of a layer, once it is sure that it has to be unpacked; the layer's file unless given. */
  readonly open?: (layer: Layer) => Promise<PackedLayer>;
  /** Threads that may have been started already; stay the caller's. */
  readonly threads?: UnpackThreads;
  /** Whose root makes the files; unless given the caller is root already. */
  readonly root?: RootNamespace | undefined;
  /** Is told of each layer that is unpacked, or that another process has unpacked meanwhile. */
  readonly onUnpacked?: (layer: Layer) => void;
  /** Is told of a layer that was opened, and in which there is something bad. */
  readonly onRefused?: (layer: Layer) => void;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** Is told, in one sentence, of what cannot be kept. */
  readonly onWarning: (message: string) => void;
}

/** A layer that is being unpacked. */
interface Work extends Disposable {
  readonly layer: Layer;
  /** In `tmp/`, with `diff` in it. */
  readonly name: ByteString;
  readonly content: FileDescriptor;
  readonly unpacker: LayerUnpacker;
}

/**
 * Unpacks layers into a store. Unless `root` is given it has to run as user 0 with all capabilities, in the user namespace
 * whose ids the files are to have or as real root, with /proc there. Sets the process's umask while it runs, and waits while
 * another process unpacks the same layers.
 * @param image whose layers are to be there in the end
 * @param missing as `missingLayers` has said; when it is empty nothing is done
 * @param store the store's directory
 * @throws BunkerError naming the layer, `archive_invalid`, `layer_refused`, `layer_damaged`, `digest_mismatch`,
 *   `no_space`, `id_not_mapped`, `system_call_failed`; nothing of this call is left in the store then
 */
export async function unpackLayers(
  image: Image,
  missing: readonly Layer[],
  store: string,
  options: UnpackOptions,
): Promise<void> {
  if (missing.length === 0) return;
  const umask = setUmask(0);
  try {
    using root = options.root === undefined ? undefined : new RootCalls(options.root);
    using storeLock = lockStore(store, removal(root));
    using resources = new DisposableStack();
    const { layers, locks } = await lockLayers(image, store, options.mapping, storeLock, options.signal);
    resources.use(locks);
    for (const layer of missing) if (!layers.includes(layer)) options.onUnpacked?.(layer);
    const threads = options.threads ?? resources.use(new UnpackThreads());
    threads.start(layers.map(({ blob }) => blob.size));
    const works = layers.map((layer) => resources.use(beginWork(layer, storeLock, options, root, threads)));
    await unpackAll(works, image, options);
    const losses: string[] = [];
    for (const work of works) {
      const unpacked = await finishWork(work, works, image, (layer) =>
        asRoot(root, () => openDirectory(layerDirectory(layer, store, options.mapping))),
      );
      recordSize(work, unpacked, storeLock);
      losses.push(...unpacked.losses.map((loss) => `layer ${work.layer.diffId} of ${image.name}: ${loss}`));
    }
    check(synchronizeFileSystem(storeLock.staging.number), "write to disk", store);
    using directory = openDirectory(`${store}/layers`);
    for (const { layer, name } of works) {
      const visible = encodeText(layerName(layer, options.mapping));
      const publish = () => renameAt(storeLock.staging.number, name, directory.number, visible);
      let result = publish();
      // What is there and no layer is the link to one that the build cache had, and has lost.
      if (result === -Errno.ENOTDIR && unlinkAt(directory.number, visible) === 0) result = publish();
      check(result, "publish the layer", layer.diffId);
    }
    check(synchronize(directory.number), "write to disk", `${store}/layers`);
    losses.forEach(options.onWarning);
  } finally {
    compileReadily();
    setUmask(umask);
  }
}

/**
 * Locks the layers of an image: those that are missing exclusively, so that one process unpacks them, the others shared,
 * so that nobody removes what the former lie on. Asks again and again while another process has one: it may wait for a blob
 * that this one is receiving, which would stop in flock(2).
 */
async function lockLayers(
  image: Image,
  store: string,
  mapping: LayerMapping,
  { stagingPath }: StoreLock,
  signal: AbortSignal | undefined,
) {
  for (;;) {
    const missing = missingLayers(image, store, mapping);
    using locks = new DisposableStack();
    for (const layer of image.layers) {
      const file = locks.use(openLock(layerLockPath(stagingPath, layerName(layer, mapping))));
      const kind = missing.includes(layer) ? Lock.exclusive : Lock.shared;
      let result = lock(file.number, kind | Lock.nonBlocking);
      while (result === -Errno.EAGAIN) {
        await waitAMoment(signal);
        result = lock(file.number, kind | Lock.nonBlocking);
      }
      check(result, "lock the layer", layer.diffId);
    }
    const layers = missingLayers(image, store, mapping);
    // Otherwise one was removed just before it was locked.
    if (layers.every((layer) => missing.includes(layer))) return { layers, locks: locks.move() };
  }
}

/** Removes trees as root. */
function removal(root: RootCalls | undefined): typeof removeTreeAt {
  return (parent, name) => asRoot(root, () => removeTreeAt(parent, name));
}

function beginWork(
  layer: Layer,
  storeLock: StoreLock,
  { mapping, root: namespace }: UnpackOptions,
  root: RootCalls | undefined,
  threads: UnpackThreads,
): Work {
  const staging = storeLock.staging.number;
  const name = crypto.randomUUID() as string as ByteString;
  // Open to all, in a store that is not: the caller looks into layers that belong to a container's other root.
  check(makeDirectoryAt(staging, name, 0o755), "create a directory in", storeLock.stagingPath);
  const path = `${storeLock.stagingPath}/${name}/diff`;
  check(makeDirectoryAt(staging, `${name}/diff` as ByteString, 0o755), "create", path);
  const content = openDirectory(path);
  const target = { content: content.number, mapping, diffId: layer.diffId, root: namespace };
  return {
    layer,
    name,
    content,
    unpacker: threads.unpacker(target, layer.blob.size),
    [Symbol.dispose]: () => {
      content.close();
      removal(root)(staging, name);
    },
  };
}

/** Streams all layers into their directories; the first failure stops the others. */
async function unpackAll(works: readonly Work[], image: Image, options: UnpackOptions): Promise<void> {
  const queue = works.values();
  const abort = new AbortController();
  const signal = AbortSignal.any([abort.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const open = options.open ?? ((layer: Layer) => openPackedLayer(layer.blob, layer.digest));
  let failure: { readonly cause: unknown } | undefined;
  const runQueue = async () => {
    for (const { layer, unpacker } of queue) {
      let isOpen = false;
      try {
        await using packed = await open(layer);
        isOpen = true;
        await unpacker.unpack(packed, signal);
        packed.verify();
        options.onUnpacked?.(layer);
      } catch (cause) {
        if (isOpen && isBadImage(cause)) options.onRefused?.(layer);
        failure ??= { cause: layerError(cause, layer, image) };
        abort.abort();
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism() + 1, MAXIMUM_PARALLEL) }, runQueue));
  if (failure !== undefined) throw failure.cause;
}

async function finishWork(
  work: Work,
  works: readonly Work[],
  image: Image,
  openLayer: (layer: Layer) => FileDescriptor,
): Promise<UnpackedLayer> {
  using resources = new DisposableStack();
  const below = image.layers.slice(
    0,
    image.layers.findIndex(({ chainId }) => chainId === work.layer.chainId),
  );
  const lower = below.reverse().map((layer) => {
    const sibling = works.find(({ layer: { chainId } }) => chainId === layer.chainId);
    if (sibling === undefined) {
      return { descriptor: resources.use(openLayer(layer)).number };
    }
    const { content, unpacker } = sibling;
    return { descriptor: content.number, lacks: (path: ByteString) => unpacker.lacks(path) };
  });
  try {
    return await work.unpacker.finish(lower);
  } catch (cause) {
    throw layerError(cause, work.layer, image);
  }
}

/** Leaves a note of how big the layer is. */
function recordSize({ name }: Work, { size }: UnpackedLayer, { stagingPath }: StoreLock): void {
  const path = `${stagingPath}/${name}/${SIZE_FILE}`;
  try {
    writeFileSync(path, String(size), { mode: 0o644 });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    checkEntry(-errno, "write", SIZE_FILE as ByteString);
  }
}

/** Says which layer of which image an error concerns. */
function layerError(cause: unknown, { diffId }: Layer, { name }: Image): unknown {
  if (!(cause instanceof BunkerError)) return cause;
  const { code, hint, message } = cause;
  return new BunkerError(
    { code, operation: "unpack", object: `layer ${diffId} of ${name}`, reason: message, hint },
    { cause },
  );
}
