import { findContainer } from "../lifecycle/find-container.ts";
import { isKnown, openContainers, recordOutOfMemory } from "../state/containers.ts";
import { recordContainerEvent } from "./journal.ts";

/**
 * Writes down that a container's memory got short: `bunker internal memory-events`, which its supervisor starts.
 * @param counts what happened how often, in the words of memory.events: `high=3,oom_kill=1`
 */
export function recordMemoryEvents(data: string, id: string, counts: string): void {
  using database = openContainers(data);
  if (!isKnown(database, id)) return;
  const container = findContainer(database, data, id);
  const pairs = counts.split(",").map((pair) => pair.split("="));
  const kills = Number(pairs.find(([event]) => event === "oom_kill")?.[1] ?? 0);
  for (const [event = "", count = ""] of pairs) {
    if (event === "oom_kill") {
      recordOutOfMemory(database, id);
      recordContainerEvent(data, "oom", container, { count });
    } else if (event === "high" || event === "max") {
      recordContainerEvent(data, `memory_pressure: ${event}`, container, { count });
    } else if (event === "oom" && Number(count) > kills) {
      // Somebody got no memory, and nobody was killed for it: an error of a system call, or no process may be killed.
      recordContainerEvent(data, "memory_pressure: oom", container, { count: String(Number(count) - kills) });
    }
  }
}
