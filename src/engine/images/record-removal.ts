import type { Removal } from "../../image/store/remove-image.ts";
import { recordImageEvent } from "../events/journal.ts";

/**
 * Writes down that an image has lost names, or has gone.
 * @param id the image's, as far as it is known
 */
export function recordRemoval(data: string, id: string | undefined, { untagged, deleted }: Removal): void {
  for (const name of untagged) recordImageEvent(data, "untag", id ?? deleted[0] ?? name, name);
  // Behind it are the ids of its layers.
  const [image] = deleted;
  if (image !== undefined) recordImageEvent(data, "delete", image, image);
}
