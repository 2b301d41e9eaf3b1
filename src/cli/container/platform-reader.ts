import { formatPlatform, hostPlatform } from "../../image/platform.ts";
import { openImageStore } from "../../image/store/image-store.ts";

/** Makes what tells the platform of a container by its image's id; without such an image it is the host's. */
export function platformReader(data: string): (imageId: string) => string {
  const known = new Map<string, string>();
  return (imageId) => {
    const before = known.get(imageId);
    if (before !== undefined) return before;
    using store = openImageStore(data);
    const platform = imageId === "" ? undefined : store.findIfThere(imageId)?.platform;
    const text = formatPlatform(platform ?? hostPlatform());
    known.set(imageId, text);
    return text;
  };
}
