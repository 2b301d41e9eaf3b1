import type { ImageStore } from "./image-store.ts";
import type { StoredImage } from "./stored-image.ts";

/** The full names that an image has and has had, the latest that it got first; of another store's image those it has. */
export function nameHistory(store: ImageStore, image: StoredImage): readonly string[] {
  const rows = store.state.all<{ reference: string }>(
    "SELECT reference FROM name_history WHERE image = ? ORDER BY place DESC",
    image.manifest.digest,
  );
  return rows.length > 0 ? rows.map(({ reference }) => reference) : image.names;
}
