import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Container } from "../state/containers.ts";
import { foundAgain } from "./find-container.ts";

/**
 * Works on a container while somebody may remove it: what has gone from below looks as if it had never been there, so that
 * the result counts only if the container is still there afterwards.
 * @throws BunkerError `no_such_container`, `container_removed`, and what `work` throws
 */
export async function whileThere<Result>(
  database: StateDatabase,
  data: string,
  { id, name }: Container,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  const check = () => {
    if (foundAgain(database, data, { id, name }).status !== "removing") return;
    throw new BunkerError({
      code: "container_removed",
      operation: "work on container",
      object: name,
      reason: "it is being removed",
      exitStatus: 1,
    });
  };
  try {
    const result = await work();
    check();
    return result;
  } catch (error) {
    check();
    throw error;
  }
}
