/** Which containers use which images, for whoever removes images. */
import { readdirSync } from "node:fs";
import type { Digest } from "../image/digest.ts";
import { formatReference, parseReference, withDefaultTag } from "../image/reference.ts";
import type { ImageUsers } from "../image/store/remove-image.ts";
import type { StoredImage } from "../image/store/stored-image.ts";
import { BunkerError } from "../sys/error.ts";
import { listContainers } from "./container-record.ts";
import { ownershipOf, removeOwnedTree } from "./ownership.ts";

/**
 * Says who uses images, as of now.
 * @param data Bunker's data directory
 */
export function imageUsers(data: string): ImageUsers {
  return {
    usersOf: (image) => listContainers(data).filter((container) => isMadeFrom(container.image, image)),
    // Which layers a container lies on is known to the kernel alone, so one container holds them all.
    layersInUse: () => (listContainers(data).length === 0 ? [] : unpackedLayers(data)),
    removeTree: (path) => removeOwnedTree(path, ownershipOf({ kind: "default" }, data).userNamespace),
  };
}

function isMadeFrom(name: string, image: StoredImage): boolean {
  if (image.id.slice("sha256:".length).startsWith(name) || image.id.startsWith(name)) return true;
  try {
    const reference = formatReference(withDefaultTag(parseReference(name)));
    return [...image.names, ...image.repositoryDigests].includes(reference);
  } catch (error) {
    // A directory, an archive: no name of the store's.
    if (error instanceof BunkerError) return false;
    throw error;
  }
}

function unpackedLayers(data: string): Digest[] {
  return readdirSync(`${data}/layers`).map((name) => name.replace("-", ":").replace(/-single$/, "") as Digest);
}
