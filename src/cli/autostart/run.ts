import { containersToStart } from "../../engine/autostart/containers-to-start.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { startByCommand, takeToStart } from "../../engine/lifecycle/start-container.ts";
import { defineCommand } from "../command.ts";
import { eachContainer } from "../container/each-container.ts";

/** `bunker autostart run`. */
export const run = defineCommand({ options: {}, required: [], failureStatus: 1 }, () => {
  const ids = containersToStart(dataDirectory()).map(({ id }) => id);
  return eachContainer(ids, async ({ database, data, container }) => {
    const taken = takeToStart(database, data, container.id);
    if (taken === undefined) return undefined;
    using _lock = taken.lock;
    const { socket } = await startByCommand(database, data, taken, { attachment: undefined, recordsEnd: false });
    socket.close();
    return container.name;
  });
});
