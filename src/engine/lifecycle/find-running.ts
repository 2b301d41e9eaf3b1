import type { StateDatabase } from "../../state/state-database.ts";
import { isHeld } from "../state/container-directory.ts";
import { type RunningContainer, recordedRunning } from "../state/running-container.ts";

/**
 * Finds a container that runs, by its name or whole id.
 * @returns undefined for any other, such as one whose supervisor was killed: `findContainer` finds it or says what is wrong
 */
export function findRunning(database: StateDatabase, data: string, reference: string): RunningContainer | undefined {
  const name = reference.startsWith("/") ? reference.slice(1) : reference;
  const container = recordedRunning(database, name);
  return container !== undefined && isHeld(data, container.id) ? container : undefined;
}
