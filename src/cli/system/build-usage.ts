import { listCache } from "../../build/cache/prune-cache.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { elapsed } from "../format/elapsed.ts";
import { humanSize } from "../format/human-size.ts";
import type { UsageKind } from "./disk-usage.ts";

/** What the build cache holds; what images have too is counted with them. */
export function buildDiskUsage(data: string, now: number): UsageKind {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const records = listCache(data, (path) => ownedTreeSize(path, userNamespace));
  const own = records.filter(({ isShared }) => !isShared);
  const sizeOf = (some: typeof records) => some.reduce((sum, { size }) => sum + size, 0);
  return {
    type: "Build Cache",
    heading: "Build cache usage:",
    total: records.length,
    active: records.filter(({ isInUse }) => isInUse).length,
    size: sizeOf(own),
    reclaimable: sizeOf(own),
    list: {
      titles: {
        CacheType: "CACHE TYPE",
        Created: "CREATED",
        Description: "DESCRIPTION",
        ID: "CACHE ID",
        InUse: "IN USE",
        LastUsed: "LAST USED",
        Shared: "SHARED",
        Size: "SIZE",
        Usage: "USAGE",
      },
      columns: ["ID", "CacheType", "Size", "Created", "LastUsed", "Usage", "Shared"],
    },
    rows: records.map(({ id, type, size, created, used, uses, isShared, isInUse, description }) => ({
      CacheType: type,
      Created: `${elapsed(now - created)} ago`,
      Description: description,
      ID: id.slice(0, 12),
      InUse: String(isInUse),
      LastUsed: `${elapsed(now - used)} ago`,
      Shared: String(isShared),
      Size: humanSize(size),
      Usage: String(uses),
    })),
  };
}
