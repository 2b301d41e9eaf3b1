import { type Change, listChanges } from "../../image/layers/list-changes.ts";
import type { UpperEntry } from "../../image/layers/upper-directory.ts";
import type { RootCalls } from "../../runtime/root-calls.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
import { isDenied } from "../is-denied.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { Container } from "../state/containers.ts";
import { type ContainerLayers, layersOf, namespaceOf } from "./container-layers.ts";
import { changedEntries, openLayers } from "./open-layers.ts";

/** How many entries are read before others have their turn. */
const ENTRIES_AT_ONCE = 256;

/**
 * Lists what a container has changed in its image, sorted by path.
 * @throws BunkerError `not_layered`, and what keeps the layers from being read
 */
export async function listContainerChanges(data: string, container: Container, signal: AbortSignal): Promise<Change[]> {
  const layers = layersOf("show the changes of", data, container);
  try {
    return await changesOf(layers, undefined, signal);
  } catch (error) {
    // Something is open to the container's root only.
    const map = isDenied(error) ? namespaceOf(readConfiguration(data, container.id)) : undefined;
    if (map === undefined) throw error;
    const { RootCalls } = await import("../../runtime/root-calls.ts");
    const { beginRootNamespace } = await import("../../runtime/root-namespace.ts");
    using namespace = beginRootNamespace(map);
    using root = new RootCalls(namespace.finish());
    return await changesOf(layers, root, signal);
  }
}

/** Owners are only compared with each other, so those are good enough that others see than the container's root. */
async function changesOf(layers: ContainerLayers, root: RootCalls | undefined, signal: AbortSignal): Promise<Change[]> {
  using opened = root === undefined ? openLayers(layers) : root.read(() => openLayers(layers));
  const entries = changedEntries(opened, layers.mountPoints);
  return await listChanges(interruptibly(root === undefined ? entries : root.readEach(entries), signal));
}

async function* interruptibly(entries: Iterable<UpperEntry>, signal: AbortSignal): AsyncGenerator<UpperEntry, void> {
  let count = 0;
  for (const entry of entries) {
    yield entry;
    if (++count % ENTRIES_AT_ONCE !== 0) continue;
    // More than a few: what `diff` does else is over sooner.
    if (count === ENTRIES_AT_ONCE) compileReadily();
    await new Promise(setImmediate);
    signal.throwIfAborted();
  }
}
