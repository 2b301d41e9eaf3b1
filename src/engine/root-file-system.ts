/** A container's root file system: an image's layers, a directory of the host, or a view of one. */

import type { Image } from "../image/image.ts";
import type { ImageSource } from "../image/image-source.ts";
import { type LayerMapping, layerDirectory, missingLayers } from "../image/layers/layer-directory.ts";
import type { Platform } from "../image/platform.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { hostViewProgramSize, mountHostView, planHostView } from "../mount/host-view.ts";
import { readLayeredFile } from "../mount/layered-file.ts";
import { mountOverlay, overlayProgramSize } from "../mount/overlay.ts";
import { chooseUnionDriver } from "../mount/union-support.ts";
import type { IdMap } from "../runtime/id-map/id-mapping.ts";
import { realRootPath } from "../runtime/root-path.ts";
import { makeDirectories, makeDirectory, makeSharedDirectory } from "../sys/named-file.ts";
import { AT_FDCWD } from "../sys/open.ts";
import { resolvePath } from "../sys/resolve-path.ts";
import type { ImageRequest } from "./images/open-source.ts";
import type { ImageConfiguration } from "./specification/image-configuration.ts";
import type { RootPlan } from "./state/container-definition.ts";
import { unionSupport } from "./union-support.ts";

/** A root file system before its container exists. */
export interface RootFileSystem {
  readonly image: ImageConfiguration;
  /** The digest of the image's configuration; empty for a directory. */
  readonly imageId: string;
  /** What the image says that it is for; undefined for a directory. */
  readonly platform: Platform | undefined;
  /** What it is mounted from, to be kept for later starts. */
  readonly plan: RootPlan;
  /** A file of it, by a path relative to its root, as it is before the container has run. */
  readFile(path: string): string | undefined;
}

/** How images are come by. */
export interface ImageAccess {
  /** Opens one, wherever it is. */
  readonly open: (request: ImageRequest) => Promise<Image>;
  /** Makes the layers of one that the store lacks. */
  readonly unpack: (request: ImageRequest) => void | Promise<void>;
}

/** A root file system that can be mounted. */
export interface RootMount {
  /** Where it will be, on the host's side. */
  readonly path: string;
  /** Mounts it there; undefined for a directory that is used as it is. */
  readonly mount: ((program: LaunchProgram) => void) | undefined;
  /** How many bytes that may need in the program, beyond the few that are always there. */
  readonly mountSize: number;
}

/** Where the files of a root file system lie. */
export interface RootPlace {
  /** The store of unpacked layers. */
  readonly store: string;
  /** The container's own directory. */
  readonly directory: string;
  /** Bunker's data directory. */
  readonly data: string;
  readonly mapping: LayerMapping;
  /** Whether its changes need not survive a crash. */
  readonly ephemeral: boolean;
  /** Whether nothing of it is to be changed, so that it needs no writable layer. */
  readonly readOnly: boolean;
  /** The container's root on the host's side, when it is not the caller: the owner of its writable directories. */
  readonly userNamespace: IdMap | undefined;
}

/**
 * Prepares a root file system.
 * @throws BunkerError when the image or directory cannot be read or used
 */
export async function prepareRootFileSystem(
  source: ImageSource,
  platform: string | undefined,
  place: RootPlace,
  images: ImageAccess,
): Promise<RootFileSystem> {
  if (source.kind === "rootfs" && !source.overlay) return plainDirectory(realRootPath(resolvePath(source.path)));
  // There is one driver so far, and this says what is missing where it cannot be had.
  chooseUnionDriver(unionSupport(place.data), place.data);
  if (source.kind === "rootfs") return hostView(realRootPath(resolvePath(source.path)), place);
  const { lower, ...prepared } = await prepareImage(source, platform, place, images);
  const { upper, work, root } = writableDirectories(place.directory);
  makeDirectory(root);
  if (!place.readOnly) {
    makeSharedDirectory(upper, 0o755);
    makeDirectory(work);
  }
  return { ...prepared, plan: { kind: "layers", lower: [...lower] }, readFile: (file) => readLayeredFile(lower, file) };
}

/** An image whose layers are there. */
export interface UnpackedImage extends Pick<RootFileSystem, "image" | "imageId" | "platform"> {
  /** Their directories, the uppermost first; at least one. */
  readonly lower: readonly string[];
}

/**
 * Sees to it that an image's layers are unpacked.
 * @throws BunkerError when the image cannot be read
 */
export async function prepareImage(
  source: Exclude<ImageSource, { kind: "rootfs" }>,
  platform: string | undefined,
  { store, mapping, data, directory }: Pick<RootPlace, "store" | "mapping" | "data" | "directory">,
  images: ImageAccess,
): Promise<UnpackedImage> {
  const request = { source, platform, data };
  const image = await images.open(request);
  if (missingLayers(image, store, mapping).length > 0) await images.unpack(request);
  const lower = image.layers.map((layer) => layerDirectory(layer, store, mapping)).reverse();
  if (lower.length === 0) {
    // An overlay has something below it, also for an image from scratch.
    const nothing = `${directory}/nothing`;
    makeDirectories(nothing, 0o777);
    lower.push(nothing);
  }
  const { configuration, configurationDigest } = image;
  return { image: configuration, imageId: configurationDigest, platform: configuration.platform, lower };
}

function writableDirectories(directory: string) {
  return { root: `${directory}/root`, upper: `${directory}/upper`, work: `${directory}/work` };
}

function plainDirectory(path: string): RootFileSystem {
  return {
    image: {},
    imageId: "",
    platform: undefined,
    plan: { kind: "directory", path },
    readFile: (file) => readLayeredFile([path], file),
  };
}

function hostView(source: string, place: RootPlace): RootFileSystem {
  makeSharedDirectory(writableDirectories(place.directory).root, 0o755);
  return {
    image: {},
    imageId: "",
    platform: undefined,
    plan: { kind: "view", source },
    readFile: (file) => readLayeredFile([source], file),
  };
}

/** Says how a prepared root file system is mounted, now and at every later start. */
export function rootMountOf(plan: RootPlan, place: Omit<RootPlace, "store" | "mapping">): RootMount {
  if (plan.kind === "directory") return { path: plan.path, mount: undefined, mountSize: 0 };
  const { root, upper, work } = writableDirectories(place.directory);
  if (plan.kind === "view") {
    const view = planHostView(plan.source, root, place.data);
    return {
      path: root,
      mount: (program) => mountHostView(program, view, root, place.directory, place.ephemeral),
      mountSize: hostViewProgramSize(view),
    };
  }
  return {
    path: root,
    mount: (program) => {
      if (!place.readOnly) ownWritableDirectories(program, place.userNamespace, [upper, work]);
      const changes = place.readOnly ? "memory" : { upper, work, volatile: place.ephemeral };
      mountOverlay(program, place.data, { lower: plan.lower, changes, target: root });
    },
    mountSize: overlayProgramSize({ lower: plan.lower }),
  };
}

/** Emits that directories for changes are given to the container's root, where that is not the caller. */
export function ownWritableDirectories(program: LaunchProgram, map: IdMap | undefined, paths: readonly string[]): void {
  if (map === undefined) return;
  const root = map.uidMappings.find(({ containerID }) => containerID === 0)?.hostID;
  if (root === process.geteuid?.()) return;
  for (const path of paths) {
    program.call("fchownat", [AT_FDCWD, program.text(path), 0, 0, 0], {
      operation: "give to the container's root",
      object: path,
    });
  }
}
