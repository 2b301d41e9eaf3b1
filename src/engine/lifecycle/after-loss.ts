import type { StateDatabase } from "../../state/state-database.ts";
import type { Container } from "../state/containers.ts";
import { lookUpContainer } from "./find-container.ts";

/**
 * What a container has come to whose supervisor has gone without a word. The kernel closes the sockets and gives back the
 * lock of a process that was killed one after the other, and until the lock is free the container seems to run.
 * @param before the container when its supervisor was there
 * @returns undefined when it is removed, or about to be
 */
export function afterLoss(
  database: StateDatabase,
  data: string,
  before: Pick<Container, "id" | "pid">,
): Container | undefined {
  for (;;) {
    const now = lookUpContainer(database, data, before.id);
    if (now === undefined || now.status === "removing") return undefined;
    const isLeft = now.status === "running" || now.status === "paused" || now.status === "restarting";
    // Another process's is another run.
    if (!isLeft || now.pid !== before.pid) return now;
    Bun.sleepSync(1);
  }
}
