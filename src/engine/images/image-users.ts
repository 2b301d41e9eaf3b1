/** Which containers use which images, for whoever removes images. */
import { basename, dirname } from "node:path";
import type { Digest } from "../../image/digest.ts";
import type { ImageUsers } from "../../image/store/remove-image.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { listContainers } from "../lifecycle/find-container.ts";
import { removeUsersTree } from "../ownership.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import { type Container, openContainers, recordedContainers } from "../state/containers.ts";

/**
 * Says who uses images, as of now.
 * @param data Bunker's data directory
 */
export function imageUsers(data: string): ImageUsers {
  // Files are removed within a transaction of the store's, which lets no other connection write. So the tables of
  // containers are made before, and what is asked meanwhile only reads.
  openContainers(data)[Symbol.dispose]();
  const containers = () => {
    using database = openContainers(data);
    return listContainers(database, data);
  };
  return {
    usersOf: (image) =>
      containers()
        .filter(({ definition }) => imagesOf(definition).includes(image.id))
        .map((container) => ({ id: container.id, isRunning: isAlive(container) })),
    layersInUse: () => {
      using database = openContainers(data);
      return recordedContainers(database).flatMap(layersOf);
    },
    removeTree: (path) => removeUsersTree(data, path),
  };
}

/** How many containers were made from each image; they are counted once, when that is asked first. */
export function containerCounts(data: string): (image: StoredImage) => number {
  let counts: Map<string, number> | undefined;
  return ({ id }) => {
    counts ??= countContainers(data);
    return counts.get(id) ?? 0;
  };
}

function countContainers(data: string): Map<string, number> {
  using database = openContainers(data);
  const counts = new Map<string, number>();
  for (const { definition } of recordedContainers(database)) {
    counts.set(definition.imageId, (counts.get(definition.imageId) ?? 0) + 1);
  }
  return counts;
}

function isAlive({ status }: Container): boolean {
  return status === "running" || status === "paused" || status === "restarting";
}

/** The image that a container was made from, and those that are mounted in it. */
function imagesOf({ imageId, mountPoints }: ContainerDefinition): readonly string[] {
  return [imageId, ...mountPoints.flatMap(({ image }) => image?.id ?? [])];
}

/** The chain ids of the layers that a container lies on, and of those that are mounted in it. */
function layersOf({ definition: { root, mountPoints } }: Container): Digest[] {
  const mounted = mountPoints.flatMap(({ image }) => image?.lower ?? []);
  return [...(root.kind === "layers" ? root.lower : []), ...mounted].map((path) => {
    const name = basename(dirname(path));
    return name.replace("-", ":").replace(/-single$/, "") as Digest;
  });
}
