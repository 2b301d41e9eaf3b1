import { type ListedContainer, listContainers } from "../../engine/container-record.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { humanSize } from "../format/human-size.ts";
import { shortId } from "../format/short-id.ts";
import type { UsageKind } from "./disk-usage.ts";

/** What containers have written. */
export function containerDiskUsage(data: string): UsageKind {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const containers = listContainers(data).map((container) => ({
    container,
    size: ownedTreeSize(`${container.path}/upper`, userNamespace),
  }));
  const sizeOf = (some: typeof containers) => some.reduce((sum, { size }) => sum + size, 0);
  const idle = containers.filter(({ container }) => !container.isRunning);
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
      Image: container.image,
      Names: container.name ?? "",
      Size: humanSize(size),
      Status: status(container),
    })),
  };
}

function status({ isRunning, exitStatus }: ListedContainer): string {
  if (isRunning) return "Up";
  return exitStatus === undefined ? "Dead" : `Exited (${exitStatus})`;
}
