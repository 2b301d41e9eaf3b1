import { imageUsage } from "../../image/store/image-size.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { imageRows, imageTitles } from "../image/image-rows.ts";
import type { UsageKind } from "./disk-usage.ts";

/**
 * What images take. Those of other stores, which are only read, are not counted.
 * @param containersOf how many containers were made from an image
 * @param now milliseconds since 1970
 */
export function imageDiskUsage(
  store: ImageStore,
  containersOf: (image: StoredImage) => number,
  now: number,
): UsageKind {
  const images = store.list().filter(({ isReadOnly }) => !isReadOnly);
  const usage = imageUsage(images);
  const active = images.filter((image) => containersOf(image) > 0);
  return {
    type: "Images",
    heading: "Images space usage:",
    total: images.length,
    active: active.length,
    size: usage.total,
    reclaimable: usage.total - imageUsage(active).total,
    list: {
      titles: imageTitles,
      columns: ["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"],
    },
    rows: imageRows(images, {
      digests: false,
      wholeIds: false,
      now,
      containersOf,
      usage,
    }),
  };
}
