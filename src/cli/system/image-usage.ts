import { imageUsage } from "../../image/store/image-size.ts";
import type { ImageStore } from "../../image/store/image-store.ts";
import type { ImageUsers } from "../../image/store/remove-image.ts";
import { imageRows, imageTitles } from "../image/image-rows.ts";
import type { UsageKind } from "./disk-usage.ts";

/**
 * What images take. Those of other stores, which are only read, are not counted.
 * @param now milliseconds since 1970
 */
export function imageDiskUsage(store: ImageStore, users: ImageUsers, now: number): UsageKind {
  const images = store.list().filter(({ isReadOnly }) => !isReadOnly);
  const usage = imageUsage(images);
  const active = images.filter((image) => users.usersOf(image).length > 0);
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
      containersOf: (image) => users.usersOf(image).length,
      usage: () => usage,
    }),
  };
}
