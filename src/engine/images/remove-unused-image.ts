import { openImageStore } from "../../image/store/image-store.ts";
import { removeImage } from "../../image/store/remove-image.ts";
import { BunkerError } from "../../sys/error.ts";
import { imageUsers } from "./image-users.ts";
import { recordRemoval } from "./record-removal.ts";

/**
 * Removes an image unless it is used, or gone already.
 * @throws BunkerError what else keeps it from being removed
 */
export function removeUnusedImage(data: string, name: string): void {
  using store = openImageStore(data);
  try {
    const id = store.findIfThere(name)?.id;
    recordRemoval(data, id, removeImage(store, name, false, imageUsers(data), false));
  } catch (error) {
    const isFine = error instanceof BunkerError && (error.code === "image_in_use" || error.code === "image_not_found");
    if (!isFine) throw error;
  }
}
