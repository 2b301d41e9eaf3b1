/*
 * From what is asked for to what is mounted: volumes are found or made and become directories of the host (or file systems
 * in memory), the mounts of other containers are taken over, and the image's volumes come last. Of several for one place
 * the user's own counts, then another container's, then the image's.
 */
import { statSync } from "node:fs";
import { parseImageSource } from "../../image/image-source.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { findOptionsContainer } from "../lifecycle/find-container.ts";
import type { UnpackedImage } from "../root-file-system.ts";
import type {
  ImageMountRequest,
  MountRequest,
  PlacedMount,
  RunOptions,
  TmpfsMountRequest,
  VolumeMountRequest,
  VolumesFrom,
} from "../specification/run-options.ts";
import type { MountPoint, RootPlan } from "../state/container-definition.ts";
import { makeChangesDirectory } from "./begin-changes.ts";
import { anonymousName, takeVolume } from "./create-volume.ts";
import { placeImage } from "./image-mounts.ts";
import { type Population, populateVolume } from "./populate-volume.ts";
import { volumeContent } from "./volume-directory.ts";
import { volumeKind } from "./volume-driver.ts";

/** fsconfig(2) takes no longer value. */
const LONGEST_PATH = 255;

/** The container that mounts are placed for. */
export interface MountingContainer extends Omit<Population, "container" | "destination" | "layers"> {
  readonly id: string;
  readonly directory: string;
  readonly root: RootPlan;
  /** Places of volumes that the image names. */
  readonly imageVolumes: readonly string[];
  /** Sees to it that an image to be mounted is unpacked. */
  readonly prepareImage: (image: ImageMountRequest["image"]) => Promise<UnpackedImage>;
}

/** What is to be mounted, and what is remembered of it. */
export interface PlacedMounts {
  readonly mounts: readonly PlacedMount[];
  readonly mountPoints: readonly MountPoint[];
}

interface Placed {
  readonly mount: PlacedMount;
  readonly point: MountPoint | undefined;
}

/**
 * Finds, makes and populates the volumes of a new container.
 * @throws BunkerError `no_such_container` of `--volumes-from`, `invalid_volume_name`, and what populating throws
 */
export async function placeMounts(
  database: StateDatabase,
  data: string,
  options: Pick<RunOptions, "imageVolumes" | "mounts" | "volumesFrom">,
  container: MountingContainer,
  onWarning: (message: string) => void,
): Promise<PlacedMounts> {
  const requests = new Map<string, MountRequest>();
  const add = (some: readonly MountRequest[]) => {
    for (const request of some) if (!requests.has(request.destination)) requests.set(request.destination, request);
  };
  // Two of the user's own for one place are an error, which containerMounts finds.
  add(options.mounts);
  for (const source of options.volumesFrom) add(mountsOf(database, data, source));
  const ofImage: (destination: string) => MountRequest = options.imageVolumes === "tmpfs" ? imageTmpfs : imageVolume;
  add(container.imageVolumes.map(ofImage));
  const further = [...requests.values()].filter((request) => !options.mounts.includes(request));
  const placed: Placed[] = [];
  for (const request of [...options.mounts, ...further]) {
    placed.push(await placeMount(database, data, request, container, onWarning));
  }
  const mounts = placed.map(({ mount }) => mount);
  if (container.userNamespace !== undefined) warnOfSharing(mounts, onWarning);
  return {
    mounts,
    mountPoints: placed.flatMap(({ point }) => (point === undefined ? [] : [point])),
  };
}

/** Says once what propagation cannot do: the kernel lets no mount of a user namespace appear in the one above it. */
function warnOfSharing(mounts: readonly PlacedMount[], onWarning: (message: string) => void): void {
  const shared = mounts.find((mount) => mount.type === "bind" && /^r?shared$/.test(mount.propagation));
  if (shared === undefined) return;
  onWarning(
    `mounts that the container makes below ${shared.destination} do not appear on the host: only root's containers can share theirs`,
  );
}

/** Podman's `--image-volume=tmpfs`. */
function imageTmpfs(destination: string): TmpfsMountRequest {
  return { type: "tmpfs", destination, options: ["rw", "nosuid", "nodev", "noexec", "mode=1777"] };
}

function imageVolume(destination: string): VolumeMountRequest {
  return {
    type: "volume",
    name: undefined,
    isAnonymous: true,
    destination,
    readOnly: false,
    isPopulated: true,
    subpath: undefined,
    labels: {},
    driverOptions: {},
    propagation: "rprivate",
    relabel: undefined,
    givesToUser: false,
    options: [],
  };
}

/** The mounts of another container, as requests. */
function mountsOf(database: StateDatabase, data: string, { container, readOnly }: VolumesFrom): MountRequest[] {
  return findOptionsContainer(database, data, container).definition.mountPoints.map((point): MountRequest => {
    const { destination, propagation, options } = point;
    const common = { destination, propagation, options, relabel: undefined, givesToUser: false };
    const isReadOnly = readOnly ?? point.readOnly;
    if (point.image !== undefined) {
      const image = parseImageSource(point.image.name);
      return { type: "image", image, destination, readOnly: isReadOnly, subpath: point.subpath };
    }
    if (point.type === "volume") {
      const { name, subpath } = point;
      return {
        ...imageVolume(destination),
        ...common,
        name,
        isAnonymous: point.isAnonymous,
        subpath,
        readOnly: isReadOnly,
      };
    }
    return {
      type: "bind",
      ...common,
      source: point.source,
      createSource: false,
      readOnly: isReadOnly,
      recursive: point.recursive,
      recursiveReadOnly: isReadOnly && point.recursive,
      isOverlay: point.changes !== undefined,
    };
  });
}

async function placeMount(
  database: StateDatabase,
  data: string,
  request: MountRequest,
  container: MountingContainer,
  onWarning: (message: string) => void,
): Promise<Placed> {
  if (request.type === "tmpfs") return { mount: request, point: undefined };
  if (request.type === "image")
    return placeImage(request, await container.prepareImage(request.image), container.directory);
  if (request.type === "volume") return placeVolume(database, data, request, container, onWarning);
  const { source, destination, readOnly, recursive, propagation, options } = request;
  const point = {
    type: "bind",
    isAnonymous: false,
    source,
    destination,
    readOnly,
    recursive,
    propagation,
    options,
  } as const;
  if (!request.isOverlay) return { mount: request, point };
  checkOverlaySource(source, destination);
  const changes = makeChangesDirectory(container.directory, destination);
  return { mount: { type: "overlay", source, changes, destination, readOnly, options }, point: { ...point, changes } };
}

/**
 * Checks what a view of the host's files is of.
 * @throws BunkerError `mount_source_missing`, `not_a_directory`, `path_too_long`
 */
export function checkOverlaySource(source: string, destination: string): void {
  const operation = `mount on ${destination} a view of`;
  let isDirectory: boolean;
  try {
    isDirectory = statSync(source).isDirectory();
  } catch (error) {
    throw new BunkerError({ code: "mount_source_missing", operation, object: source, errno: errnoOf(error) });
  }
  if (!isDirectory) {
    const reason = "only a directory can be looked at through an overlay (O)";
    throw new BunkerError({ code: "not_a_directory", operation, object: source, reason });
  }
  if (source.includes("\\") || Buffer.byteLength(source) > LONGEST_PATH) {
    const reason = `the kernel takes ${LONGEST_PATH} bytes without backslashes`;
    throw new BunkerError({ code: "path_too_long", operation, object: source, reason });
  }
}

async function placeVolume(
  database: StateDatabase,
  data: string,
  request: VolumeMountRequest,
  container: MountingContainer,
  onWarning: (message: string) => void,
): Promise<Placed> {
  const { destination, isPopulated, labels, driverOptions, subpath, propagation, relabel, givesToUser } = request;
  const name = request.name ?? anonymousName();
  const wanted = { name, isAnonymous: request.isAnonymous, labels, options: driverOptions };
  const volume = takeVolume(database, data, wanted, container.id);
  const kind = volumeKind(volume.options);
  const remembered = {
    type: "volume",
    name,
    isAnonymous: request.isAnonymous,
    destination,
    readOnly: request.readOnly,
    recursive: true,
    propagation,
    options: request.options,
    ...(subpath === undefined ? {} : { subpath }),
  } as const;
  if (kind.kind === "tmpfs") {
    if (subpath !== undefined) throw inMemory(`mount a part of volume ${name}`);
    if (givesToUser) throw inMemory(`give volume ${name} to the container's user`);
    const options = [...kind.options, ...request.options, ...(request.readOnly ? ["ro"] : [])];
    return { mount: { type: "tmpfs", destination, options }, point: { ...remembered, source: "" } };
  }
  const source = kind.kind === "bind" ? kind.device : volumeContent(data, name);
  if (kind.kind === "directory" && isPopulated && subpath === undefined) {
    const { id, root, mapping, userNamespace } = container;
    const layers = root.kind === "layers" ? root.lower : [root.kind === "view" ? root.source : root.path];
    const population = { container: id, layers, destination, mapping, userNamespace };
    const warnings = await populateVolume(database, data, name, population);
    for (const message of warnings) onWarning(`volume ${name}: ${message}`);
  }
  const readOnly = request.readOnly || (kind.kind === "bind" && kind.readOnly);
  const recursive = kind.kind !== "bind" || kind.recursive;
  const mount: PlacedMount = {
    type: "bind",
    // That a part does not lead out of its volume is seen to when it is mounted; start-container.ts.
    source: subpath === undefined ? source : `${source}/${subpath}`,
    destination,
    readOnly,
    createSource: false,
    propagation,
    recursive,
    recursiveReadOnly: readOnly && recursive,
    relabel,
    givesToUser,
    isOverlay: false,
    options: [...(kind.kind === "bind" ? kind.options : []), ...request.options],
  };
  return { mount, point: { ...remembered, readOnly, recursive, source } };
}

function inMemory(operation: string): BunkerError {
  const reason = "it is in memory, and empty at each start";
  const hint = "Its owner can be among its options: o=uid=NUMBER,gid=NUMBER.";
  return new BunkerError({ code: "volume_in_memory", operation, reason, hint });
}
