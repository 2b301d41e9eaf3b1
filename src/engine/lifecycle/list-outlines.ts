import type { StateDatabase } from "../../state/state-database.ts";
import { isHeld } from "../state/container-directory.ts";
import { type ContainerOutline, recordedOutlines } from "../state/container-outline.ts";
import { supervisedContainers } from "../state/supervised-containers.ts";
import { isClaimed } from "./abandoned.ts";

/**
 * What the usual list shows of all containers, the newest first.
 * @returns undefined when a row is not as it should be, such as that of a container whose supervisor was killed:
 *   `listContainers` sets it right, or says what is wrong
 */
export function listOutlines(database: StateDatabase, data: string): readonly ContainerOutline[] | undefined {
  const outlines = recordedOutlines(database);
  using supervised = supervisedContainers(data);
  for (const outline of outlines ?? []) {
    if (isClaimed(outline) && !supervised.has(outline.id) && !isHeld(data, outline.id)) return undefined;
  }
  return outlines;
}
