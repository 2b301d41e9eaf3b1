import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { platformReader } from "../container/container-images.ts";
import { containerRow } from "../container/container-list.ts";
import { networksOf } from "../container/container-networks.ts";
import { isAlive } from "../container/status-text.ts";
import { containerFields } from "../container/usual-list.ts";
import { humanSize } from "../format/human-size.ts";
import type { UsageKind } from "./disk-usage.ts";

/** What containers have written. */
export function containerDiskUsage(data: string): UsageKind {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const now = Date.now();
  using database = openContainers(data);
  const platformOf = platformReader(data);
  const containers = listContainers(database, data).map((container) => ({
    container,
    networks: networksOf(database, container).names,
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
      titles: containerFields.titles,
      columns: ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    },
    rows: containers.map(({ container, networks, size }) =>
      containerRow(
        container,
        () => humanSize(size),
        platformOf,
        () => networks,
        false,
        now,
      ),
    ),
  };
}
