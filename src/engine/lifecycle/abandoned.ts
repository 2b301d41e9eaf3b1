/* Which rows say something that is not so: settle.ts. */
import { isHeld } from "../state/container-directory.ts";
import type { Container } from "../state/containers.ts";

/** Whether its row says that somebody works on a container. */
export function isClaimed({ status }: Pick<Container, "status">): boolean {
  return status === "running" || status === "paused" || status === "restarting" || status === "removing";
}

/** Whether its row says that somebody works on a container, and nobody does. */
export function isAbandoned(data: string, container: Pick<Container, "id" | "status">): boolean {
  return isClaimed(container) && !isHeld(data, container.id);
}
