import { mkdirSync } from "node:fs";
import type { Ownership } from "../../engine/ownership.ts";
import type { Digest } from "../../image/digest.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import { mountHere } from "../../mount/mount-here.ts";
import { MNT_DETACH, unmount } from "../../sys/mount.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuilderArguments } from "../builder-arguments.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { BaseLayers } from "../layers/base-image.ts";
import type { BuildObserver } from "../progress.ts";
import type { RemoteCaches } from "../remote-cache/remote-caches.ts";
import type { Root } from "./root.ts";
import type { Slots } from "./slots.ts";

/** What all steps of one build share. */
export interface BuildSession {
  /** Bunker's data directory. */
  readonly data: string;
  readonly ownership: Ownership;
  readonly store: ImageStore;
  readonly cache: BuildCache;
  /** Undefined where no cache elsewhere was named. */
  readonly remote: RemoteCaches | undefined;
  readonly bases: BaseLayers;
  readonly observer: BuildObserver;
  /** Aborted when a step fails, or the user interrupts the build. */
  readonly signal: AbortSignal;
  /** What a failed step calls. */
  readonly fail: (cause: unknown) => void;
  readonly arguments: BuilderArguments;
  /** For the registries of images. */
  readonly registrySettings: RegistrySettings;
  /** How many commands run at the same time. */
  readonly processors: Slots;
  /** Steps that are being made, or were, by their keys. */
  readonly steps: Map<Digest, Promise<Root>>;
  /** Seconds since 1970 that times of the image are not to be beyond. */
  readonly sourceDateEpoch: number | undefined;
}

/**
 * The directories of a root file system, the uppermost first; at least one.
 * @throws BunkerError when an image cannot be unpacked
 */
export async function directoriesOf({ base, layers }: Root, session: BuildSession): Promise<readonly string[]> {
  const below = base === undefined ? [] : await session.bases.directories(base);
  const directories = [...layers.map(({ directory }) => directory).reverse(), ...below];
  return directories.length > 0 ? directories : [nothing(session)];
}

/** An empty directory: overlayfs has to have something below it. */
function nothing({ cache }: BuildSession): string {
  const path = `${cache.directory}/nothing`;
  mkdirSync(path, { recursive: true, mode: 0o755 });
  return path;
}

/** A root file system, mounted to be read or changed, in the mount namespace of the build. */
export interface MountedRoot extends Disposable {
  readonly path: string;
}

/**
 * Mounts a root file system to write to it; what changes goes to `diff` in a directory.
 * @param staging the directory
 * @param lower as `directoriesOf` has it
 */
export function mountWritable(session: BuildSession, staging: string, lower: readonly string[]): MountedRoot {
  const [upper, work, target] = ["diff", "work", "root"].map((name) => `${staging}/${name}`) as [
    string,
    string,
    string,
  ];
  for (const path of [upper, work, target]) mkdirSync(path, { recursive: true, mode: 0o755 });
  mountHere(session.data, { lower, changes: { upper, work, volatile: true }, target });
  return {
    path: target,
    [Symbol.dispose]: () => {
      unmount(target, MNT_DETACH);
      removeTree(work);
      removeTree(`${work}.boot`);
      removeTree(target);
    },
  };
}

/** Mounts a root file system to read it. */
export function mountReadable(session: BuildSession, lower: readonly string[]): MountedRoot {
  const target = session.cache.makeStaging();
  mountHere(session.data, { lower, changes: undefined, target });
  return {
    path: target,
    [Symbol.dispose]: () => {
      unmount(target, MNT_DETACH);
      removeTree(target);
    },
  };
}
