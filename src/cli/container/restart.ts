import { restartContainer } from "../../engine/lifecycle/restart-container.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { warning } from "../messages.ts";
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
    leave: leaveMemory,
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
        await restartContainer(database, data, container, { ...options, onDeviceWarning: warning });
        return reference;
      },
    ),
);
