import { recordContainerEvent } from "../../engine/events/journal.ts";
import { startByCommand, takeToStart } from "../../engine/lifecycle/start-container.ts";
import { stopContainer } from "../../engine/lifecycle/stop-container.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { eachContainer } from "./each-container.ts";
import { meantContainers, selectionOptions } from "./meant-containers.ts";
import { isAlive } from "./status-text.ts";
import { stopOptions } from "./stop.ts";

/** `bunker restart`. */
export const restart = defineCommand(
  {
    options: {
      ...stopOptions,
      ...selectionOptions,
      running: flag({ name: "running", description: "All containers that run" }),
    },
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(
      meantContainers(
        "bunker restart",
        operands,
        { ...options, all: options.all || options.running },
        (container) => !options.running || isAlive(container),
      ),
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
