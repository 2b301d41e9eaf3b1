import { BunkerError } from "../../sys/error.ts";
import type { Container } from "../state/containers.ts";

/** The error for a container that has to run for what was asked; one that is on record as running has just ended. */
export function notRunning(
  operation: string,
  { name, id, status }: Pick<Container, "name" | "id" | "status">,
): BunkerError {
  return new BunkerError({
    code: "container_not_running",
    operation,
    object: name,
    reason: `container ${id.slice(0, 12)} is not running, it ${status === "running" ? "has just ended" : `is ${status}`}`,
    exitStatus: 1,
  });
}
