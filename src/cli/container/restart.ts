import { recordContainerEvent } from "../../engine/events/journal.ts";
import { startByCommand, takeToStart } from "../../engine/lifecycle/start-container.ts";
import { stopContainer } from "../../engine/lifecycle/stop-container.ts";
import { defineCommand } from "../command.ts";
import { eachContainer } from "./each-container.ts";
import { idFileOption, latestOption, meantContainers } from "./meant-containers.ts";
import { stopOptions } from "./stop.ts";

/** `bunker restart`. */
export const restart = defineCommand(
  {
    options: { ...stopOptions, latest: latestOption, idFiles: idFileOption },
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(
      meantContainers("bunker restart", operands, options),
      async ({ database, data, container, reference }) => {
        stopContainer(database, data, container, { ...options, isRestart: true });
        const taken = takeToStart(database, data, container.id);
        if (taken !== undefined) {
          using _lock = taken.lock;
          const { socket } = await startByCommand(database, data, taken, { attachment: undefined, recordsEnd: false });
          socket.close();
          recordContainerEvent(data, "restart", container);
        }
        return reference;
      },
    ),
);
