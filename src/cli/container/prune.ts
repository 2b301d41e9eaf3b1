import { dataDirectory } from "../../engine/data-directory.ts";
import { recordPruneEvent } from "../../engine/events/journal.ts";
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { removeContainer } from "../../engine/lifecycle/remove-container.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { definePrune } from "../define-prune.ts";
import { humanSize } from "../format/human-size.ts";
import { print } from "../print.ts";
import { isAlive } from "./status-text.ts";

/** The errors of containers that need not, or cannot, be removed any more. */
const PASSED_OVER: readonly string[] = ["container_running", "container_busy", "no_such_container"];

/** `bunker container prune`. */
export const prune = definePrune("container prune", "all stopped containers", (fits) => {
  const { ids, reclaimed } = pruneContainers(({ created, definition: { labels } }) => fits({ created, labels }));
  if (ids.length > 0) print(["Deleted Containers:", ...ids, ""].join("\n"));
  print(`Total reclaimed space: ${humanSize(reclaimed)}`);
});

/**
 * Removes the containers that do not run, and what killed commands have left.
 * @returns the ids, and the bytes that they had written
 */
export function pruneContainers(fits: (container: Container) => boolean): {
  readonly ids: readonly string[];
  readonly reclaimed: number;
} {
  const data = dataDirectory();
  using database = openContainers(data);
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const ids: string[] = [];
  let reclaimed = 0;
  for (const container of listContainers(database, data)) {
    if (isAlive(container) || !fits(container)) continue;
    const size = ownedTreeSize(`${containerDirectory(data, container.id)}/upper`, userNamespace);
    try {
      removeContainer(database, data, container, { force: false, volumes: false });
    } catch (error) {
      // Somebody has just started it, or is removing it, or has.
      if (error instanceof BunkerError && PASSED_OVER.includes(error.code)) continue;
      throw error;
    }
    ids.push(container.id);
    reclaimed += size;
  }
  recordPruneEvent(data, "container", reclaimed);
  return { ids, reclaimed };
}
