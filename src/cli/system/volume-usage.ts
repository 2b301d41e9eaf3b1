import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { listVolumes, usersOf } from "../../engine/state/volumes.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { humanSize } from "../format/human-size.ts";
import type { UsageKind } from "./disk-usage.ts";

/** What is in volumes; those that a container uses are active, whether it runs or not. */
export function volumeDiskUsage(data: string): UsageKind {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  using database = openContainers(data);
  const volumes = listVolumes(database).map(({ name }) => ({
    name,
    links: usersOf(database, data, name).length,
    size: ownedTreeSize(volumeContent(data, name), userNamespace),
  }));
  const sizeOf = (some: typeof volumes) => some.reduce((sum, { size }) => sum + size, 0);
  const unused = volumes.filter(({ links }) => links === 0);
  return {
    type: "Local Volumes",
    heading: "Local Volumes space usage:",
    total: volumes.length,
    active: volumes.length - unused.length,
    size: sizeOf(volumes),
    reclaimable: sizeOf(unused),
    list: {
      titles: { Links: "LINKS", Name: "VOLUME NAME", Size: "SIZE" },
      columns: ["Name", "Links", "Size"],
    },
    rows: volumes.map(({ name, links, size }) => ({ Links: String(links), Name: name, Size: humanSize(size) })),
  };
}
