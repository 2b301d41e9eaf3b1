/** A container's root file system: an image's layers, a directory of the host, or a view of one. */
import { chmodSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { ImageSource } from "../image/image-source.ts";
import { type LayerMapping, layerDirectory, missingLayers } from "../image/layers/layer-directory.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { hostViewProgramSize, mountHostView, planHostView } from "../mount/host-view.ts";
import { readLayeredFile } from "../mount/layered-file.ts";
import { mountOverlay, overlayProgramSize } from "../mount/overlay.ts";
import { chooseUnionDriver } from "../mount/union-support.ts";
import type { IdMap } from "../runtime/id-map/id-mapping.ts";
import { realRootPath } from "../runtime/root-path.ts";
import { AT_FDCWD } from "../sys/open.ts";
import type { ImageConfiguration } from "./image-configuration.ts";
import { type ImageRequest, openSource } from "./open-source.ts";
import { unionSupport } from "./union-support.ts";

/** A root file system before its container exists. */
export interface RootFileSystem {
  readonly image: ImageConfiguration;
  /** Where it will be, on the host's side. */
  readonly path: string;
  /** Mounts it there; undefined for a directory that is used as it is. */
  readonly mount: ((program: LaunchProgram) => void) | undefined;
  /** How many bytes that may need in the program, beyond the few that are always there. */
  readonly mountSize: number;
  /** A file of it, by a path relative to its root, as it is before the container has run. */
  readFile(path: string): string | undefined;
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
 * @param unpack makes the missing layers of an image in the store
 * @throws BunkerError when the image or directory cannot be read or used
 */
export function prepareRootFileSystem(
  source: ImageSource,
  platform: string | undefined,
  place: RootPlace,
  unpack: (request: ImageRequest) => void,
): RootFileSystem {
  if (source.kind === "rootfs" && !source.overlay) return plainDirectory(realRootPath(resolve(source.path)));
  // There is one driver so far, and this says what is missing where it cannot be had.
  chooseUnionDriver(unionSupport(place.data), place.data);
  if (source.kind === "rootfs") return hostView(realRootPath(resolve(source.path)), place);
  const request = { source, platform, data: place.data };
  const image = openSource(request);
  if (missingLayers(image, place.store, place.mapping).length > 0) unpack(request);
  const lower = image.layers.map((layer) => layerDirectory(layer, place.store, place.mapping)).reverse();
  if (lower.length === 0) {
    // An overlay has something below it, also for an image from scratch.
    const nothing = `${place.directory}/nothing`;
    mkdirSync(nothing);
    lower.push(nothing);
  }
  const path = `${place.directory}/root`;
  const upper = `${place.directory}/upper`;
  const work = `${place.directory}/work`;
  mkdirSync(path);
  if (!place.readOnly) {
    for (const directory of [upper, work]) mkdirSync(directory);
    // mkdir's mode is cut by the umask, but this is the root directory of the container.
    chmodSync(upper, 0o755);
  }
  return {
    image: image.configuration,
    path,
    mount: (program) => {
      if (!place.readOnly) ownWritableDirectories(program, place.userNamespace, [upper, work]);
      const changes = place.readOnly ? "memory" : { upper, work, volatile: place.ephemeral };
      mountOverlay(program, place.data, { lower, changes, target: path });
    },
    mountSize: overlayProgramSize({ lower }),
    readFile: (file) => readLayeredFile(lower, file),
  };
}

function plainDirectory(path: string): RootFileSystem {
  return { image: {}, path, mount: undefined, mountSize: 0, readFile: (file) => readLayeredFile([path], file) };
}

function hostView(source: string, place: RootPlace): RootFileSystem {
  const path = `${place.directory}/root`;
  mkdirSync(path);
  const view = planHostView(source, path, place.data);
  return {
    image: {},
    path,
    mount: (program) => mountHostView(program, view, path, place.directory, place.ephemeral),
    mountSize: hostViewProgramSize(view),
    readFile: (file) => readLayeredFile([source], file),
  };
}

/** Where the container's root is not the caller, its own directories have to be given to it. */
function ownWritableDirectories(program: LaunchProgram, map: IdMap | undefined, paths: readonly string[]): void {
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
