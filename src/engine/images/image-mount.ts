/*
 * Images that are mounted to be looked at, read-only: `<data>/mounts/<id>` each.
 *
 * Whoever mounts has to be root where it is: root of the machine, or of a user namespace with a mount namespace, as in
 * `unshare`. In the latter the mounts are seen there alone and end with it. Nothing of this is recorded, since the
 * kernel knows: an image that is mounted once more gets one more mount on top of the first, so that each who has mounted
 * it can unmount it again, and the last mount taken away is the end of it.
 */
import { mkdirSync, rmdirSync } from "node:fs";
import { type LayerMapping, layerDirectory, missingLayers } from "../../image/layers/layer-directory.ts";
import { unpackLayers } from "../../image/layers/unpack-layers.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { mountHere } from "../../mount/mount-here.ts";
import { mountPoints } from "../../mount/mount-points.ts";
import { chooseUnionDriver } from "../../mount/union-support.ts";
import { hasCapabilities } from "../../runtime/callers-capabilities.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { MNT_DETACH, unmount } from "../../sys/mount.ts";
import { ownershipOf } from "../ownership.ts";
import { unionSupport } from "../union-support.ts";

/** An image and where it can be seen. */
export interface MountedImage {
  readonly image: StoredImage;
  readonly path: string;
}

/**
 * Sees that images can be mounted here at all.
 * @throws BunkerError `not_root`
 */
export function checkMayMount(): void {
  checkRoot("mount");
}

/**
 * Mounts an image, as root; unpacks it first where that was not done yet.
 * @param name by which the image is looked up
 * @throws BunkerError `image_not_found`, and what `unpackLayers` and the mount throw
 */
export async function mountImage(
  store: ImageStore,
  name: string,
  onWarning: (message: string) => void,
): Promise<MountedImage> {
  const { directory } = store;
  chooseUnionDriver(unionSupport(directory), directory);
  const { mapping } = ownershipOf({ kind: "default" }, directory);
  for (;;) {
    const { image, missing, mounted } = mountIfUnpacked(store, name, mapping);
    if (mounted !== undefined) return mounted;
    // This takes long, and must not keep others from removing images: so the image is looked up anew after it.
    await unpackLayers(image, missing, directory, { mapping, onWarning });
  }
}

function mountIfUnpacked(store: ImageStore, name: string, mapping: LayerMapping) {
  using _ = store.rely();
  const { directory } = store;
  const stored = store.find(name);
  const image = store.open(stored, name);
  const missing = missingLayers(image, directory, mapping);
  if (missing.length > 0) return { image, missing };
  const lower = image.layers.map((layer) => layerDirectory(layer, directory, mapping)).reverse();
  return { image, missing, mounted: { image: stored, path: mountLayers(directory, stored, lower) } };
}

/** The images that are mounted in the present mount namespace. */
export function mountedImages(store: ImageStore): MountedImage[] {
  const paths = new Set(mountPoints().map(({ path }) => path));
  return store
    .list()
    .map((image) => ({ image, path: mountPath(store.directory, image) }))
    .filter(({ path }) => paths.has(path));
}

/**
 * Takes an image's mount away, of several the last.
 * @param force takes all of them away, even while somebody uses them
 * @throws BunkerError `not_root`, `not_mounted`, `unmount_failed`
 */
export function unmountImage(store: ImageStore, image: StoredImage, force: boolean): void {
  checkRoot("unmount");
  const path = mountPath(store.directory, image);
  const count = mountPoints().filter((mount) => mount.path === path).length;
  if (count === 0) {
    throw new BunkerError({
      code: "not_mounted",
      operation: "unmount image",
      object: image.names[0] ?? image.id,
      reason: "it is not mounted here",
    });
  }
  for (let left = force ? count : 1; left > 0; left--) takeAway(path, force);
  if (force || count === 1) rmdirSync(path);
}

function mountPath(directory: string, { id }: StoredImage): string {
  return `${directory}/mounts/${id.slice(id.indexOf(":") + 1)}`;
}

function checkRoot(what: string): void {
  if (hasCapabilities(["CAP_SYS_ADMIN"])) return;
  throw new BunkerError({
    code: "not_root",
    operation: `${what} an image`,
    reason: "only root of a user namespace may do that",
    hint: "call it in a shell of `bunker unshare`, which also is where the mount can be seen",
  });
}

/** @returns where it is mounted now */
function mountLayers(directory: string, image: StoredImage, layers: readonly string[]): string {
  const target = mountPath(directory, image);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  // An image from scratch may have no layer: then an empty directory is mounted, the mount point itself.
  const lower = layers.length === 0 ? [target] : layers;
  mountHere(directory, { lower, changes: undefined, target });
  return target;
}

function takeAway(path: string, force: boolean): void {
  const result = unmount(path, force ? MNT_DETACH : 0);
  if (result === 0) return;
  throw new BunkerError({
    code: "unmount_failed",
    operation: "unmount",
    object: path,
    errno: -result,
    hint:
      result === -Errno.EBUSY
        ? "somebody uses it, perhaps as working directory; --force unmounts it nevertheless"
        : undefined,
  });
}
