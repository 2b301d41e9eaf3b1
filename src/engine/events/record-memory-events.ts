import { findContainer, isKnown, openContainers, recordOutOfMemory } from "../state/containers.ts";
import { recordContainerEvent } from "./journal.ts";

/**
 * Writes down that a container's memory got short: `bunker internal memory-events`, which its supervisor starts.
 * @param counts what happened how often, in the words of memory.events: `high=3,oom_kill=1`
 */
export function recordMemoryEvents(data: string, id: string, counts: string): void {
  using database = openContainers(data);
  if (!isKnown(database, id)) return;
  const container = findContainer(database, data, id);
  for (const [event = "", count = ""] of counts.split(",").map((pair) => pair.split("="))) {
    if (event === "oom_kill") {
      recordOutOfMemory(database, id);
      recordContainerEvent(data, "oom", container, { count });
    } else if (event === "high" || event === "max") {
      recordContainerEvent(data, `memory_pressure: ${event}`, container, { count });
    }
  }
}
