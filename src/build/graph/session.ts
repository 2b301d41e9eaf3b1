import { mkdirSync } from "node:fs";
import type { Ownership } from "../../engine/ownership.ts";
import type { Digest } from "../../image/digest.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import type { OpenBlobs } from "../../image/store/open-blobs.ts";
import type { BuilderArguments } from "../builder-arguments.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { ContextKeys } from "../files/context-keys.ts";
import { needRoot } from "../hand-over.ts";
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
  /** Whether this process is root of the namespace that files of stages are for; see hand-over.ts. */
  readonly isRoot: boolean;
  readonly store: ImageStore;
  /** Those of images and packed layers that this build goes on from. */
  readonly blobs: OpenBlobs;
  readonly cache: BuildCache;
  /** Undefined where no cache elsewhere was named. */
  readonly remote: RemoteCaches | undefined;
  readonly bases: BaseLayers;
  readonly contextKeys: ContextKeys;
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
 * @throws BunkerError when an image cannot be unpacked; HandOver
 */
export async function directoriesOf({ base, layers }: Root, session: BuildSession): Promise<readonly string[]> {
  needRoot(session);
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
