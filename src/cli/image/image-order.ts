import type { StoredImage } from "../../image/store/stored-image.ts";
import type { Structure } from "../format/template/value.ts";

/** What images can be sorted by. */
type Order = "created" | "id" | "repository" | "size" | "tag";

/**
 * Compares images by what they have themselves.
 * @param sizeOf is only asked where sizes count
 * @returns for `sort`; what is equal, or told by names alone, stays as it was
 */
export function imageOrder(
  order: Order,
  sizeOf: (image: StoredImage) => number,
): (one: StoredImage, other: StoredImage) => number {
  if (order === "id") return (one, other) => compare(one.id, other.id);
  if (order === "size") return (one, other) => sizeOf(one) - sizeOf(other);
  if (order === "created") return (one, other) => (other.created ?? 0) - (one.created ?? 0);
  return () => 0;
}

/** Compares rows by the names that they show, by `repository` then also the tags; stays as it was by anything else. */
export function rowOrder(order: Order): (one: Structure, other: Structure) => number {
  const fields = order === "repository" ? ["Repository", "Tag"] : order === "tag" ? ["Tag"] : [];
  return (one, other) =>
    fields.reduce((result, field) => result || compare(String(one[field]), String(other[field])), 0);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
