import type { ContainerOutline } from "../../engine/state/container-outline.ts";
import { elapsed } from "../format/elapsed.ts";

/** Whether a container counts as running in lists: it does, or will again. */
export function isAlive({ status }: Pick<ContainerOutline, "status">): boolean {
  return status === "running" || status === "paused" || status === "restarting";
}

/**
 * A container's status in Docker's words: `Up 2 hours (healthy)`, `Exited (0) 3 days ago`.
 * @param now milliseconds since 1970
 */
export function statusText(
  container: Pick<ContainerOutline, "exitStatus" | "finished" | "health" | "started" | "status">,
  now: number,
): string {
  const { started = now, finished = now, exitStatus = 0, health } = container;
  switch (container.status) {
    case "running": {
      const word = health?.status === "starting" ? "health: starting" : health?.status;
      return `Up ${elapsed(now - started)}${word === undefined ? "" : ` (${word})`}`;
    }
    case "paused":
      return `Up ${elapsed(now - started)} (Paused)`;
    case "restarting":
      return `Restarting (${exitStatus}) ${elapsed(now - finished)} ago`;
    case "exited":
      return `Exited (${exitStatus}) ${elapsed(now - finished)} ago`;
    case "removing":
      return "Removal In Progress";
    case "created":
      return "Created";
    default:
      return "Dead";
  }
}
