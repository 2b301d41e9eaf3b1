import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { isAlive, statusText } from "../container/status-text.ts";
import { humanSize } from "../format/human-size.ts";
import { shortId } from "../format/short-id.ts";
import type { UsageKind } from "./disk-usage.ts";

/** What containers have written. */
export function containerDiskUsage(data: string): UsageKind {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const now = Date.now();
  using database = openContainers(data);
  const containers = listContainers(database, data).map((container) => ({
    container,
    size: ownedTreeSize(`${containerDirectory(data, container.id)}/upper`, userNamespace),
  }));
  const sizeOf = (some: typeof containers) => some.reduce((sum, { size }) => sum + size, 0);
  const idle = containers.filter(({ container }) => !isAlive(container));
  return {
    type: "Containers",
    heading: "Containers space usage:",
    total: containers.length,
    active: containers.length - idle.length,
    size: sizeOf(containers),
    reclaimable: sizeOf(idle),
    list: {
      titles: { ID: "CONTAINER ID", Image: "IMAGE", Names: "NAMES", Size: "SIZE", Status: "STATUS" },
      columns: ["ID", "Image", "Size", "Status", "Names"],
    },
    rows: containers.map(({ container, size }) => ({
      ID: shortId(container.id),
      Image: container.definition.image,
      Names: container.name,
      Size: humanSize(size),
      Status: statusText(container, now),
    })),
  };
}
