import { type UpperEntry, upperEntries } from "../../image/layers/upper-directory.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { withoutMountStubs } from "./mount-stubs.ts";

/** As `ContainerLayers` has them. */
interface LayerPaths {
  readonly upper?: string | undefined;
  readonly lower: readonly string[];
}

/** Descriptors of the directories of a container's layers. */
export interface OpenLayers extends Disposable {
  readonly upper: number | undefined;
  /** The uppermost first. */
  readonly lower: readonly number[];
}

/**
 * Opens the directories that a container's root file system is put together from.
 * @throws BunkerError `system_call_failed`
 */
export function openLayers({ upper, lower }: LayerPaths): OpenLayers {
  using opened = new DisposableStack();
  const open = (path: string) => opened.use(openFile(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY)).number;
  const descriptors = { upper: upper === undefined ? undefined : open(upper), lower: lower.map(open) };
  const resources = opened.move();
  return { ...descriptors, [Symbol.dispose]: () => resources.dispose() };
}

/**
 * Walks through what a container has changed, without what was made to mount something on it.
 * @param mountPoints as `ContainerLayers` has them
 * @throws BunkerError `system_call_failed`
 */
export function changedEntries({ upper, lower }: OpenLayers, mountPoints: readonly string[]): Iterable<UpperEntry> {
  return upper === undefined ? [] : withoutMountStubs(upperEntries(upper, lower), mountPoints, lower);
}
