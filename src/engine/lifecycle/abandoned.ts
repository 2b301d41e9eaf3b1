/* Which rows say something that is not so: settle.ts. */
import { isHeld } from "../state/container-directory.ts";
import type { Container } from "../state/containers.ts";

/** What the recorded error of a container ends with as long as the hooks of its devices are being run. */
export const HOOKS_RUN = "; hooks of its devices are still running";

/** Whether its row says that somebody works on a container. */
export function isClaimed({ status }: Pick<Container, "status">): boolean {
  return status === "running" || status === "paused" || status === "restarting" || status === "removing";
}

/** Whether its row says that somebody works on a container, or runs its hooks, and nobody does. */
export function isAbandoned(data: string, container: Pick<Container, "id" | "status" | "error">): boolean {
  return (isClaimed(container) || container.error.endsWith(HOOKS_RUN)) && !isHeld(data, container.id);
}
