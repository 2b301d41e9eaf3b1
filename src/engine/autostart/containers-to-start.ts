import { listContainers } from "../lifecycle/find-container.ts";
import { isToBeStartedWithMachine } from "../lifecycle/restart-policy.ts";
import { openContainers } from "../state/containers.ts";

/**
 * The containers that start with the machine, in the order in which they were made.
 * @param data Bunker's data directory
 */
export function containersToStart(data: string) {
  using database = openContainers(data);
  return listContainers(database, data).filter(isToBeStartedWithMachine).reverse();
}
