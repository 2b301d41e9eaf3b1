import type { StateDatabase } from "../../state/state-database.ts";
import { recordContainerEvent } from "../events/journal.ts";
import type { Container } from "../state/containers.ts";
import { type StartOptions, startByCommand, takeToStart } from "./start-container.ts";
import { stopContainer } from "./stop-container.ts";

/**
 * Stops a container, if it runs, and starts it.
 * @param options what `stop` says instead of the container's definition, and `StartOptions`
 * @throws BunkerError as both
 */
export async function restartContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  options: Pick<StartOptions, "onDeviceWarning"> & {
    readonly signal?: string | undefined;
    readonly timeout?: number | undefined;
  } = {},
): Promise<void> {
  stopContainer(database, data, container, { ...options, isRestart: true });
  const taken = takeToStart(database, data, container.id);
  if (taken === undefined) return;
  using _lock = taken.lock;
  const { onDeviceWarning } = options;
  const { socket } = await startByCommand(database, data, taken, {
    attachment: undefined,
    recordsEnd: false,
    onDeviceWarning,
  });
  socket.close();
  recordContainerEvent(data, "restart", container);
}
