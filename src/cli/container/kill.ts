import { killContainer } from "../../engine/lifecycle/stop-container.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { single } from "../option.ts";
import { parseSignalName } from "../values/life-values.ts";
import { eachContainer } from "./each-container.ts";
import { meantContainers, selectionOptions } from "./meant-containers.ts";
import { isAlive } from "./status-text.ts";

/** `bunker kill`. */
export const kill = defineCommand(
  {
    options: {
      ...selectionOptions,
      signal: single({
        name: "signal",
        short: "s",
        valueName: "SIGNAL",
        description: "The signal to send",
        parse: parseSignalName,
        initial: "SIGKILL",
        initialText: "SIGKILL",
      }),
    },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(
      meantContainers("bunker kill", operands, options, isAlive),
      ({ database, data, container, reference }) => {
        killContainer(database, data, container, options.signal);
        return reference;
      },
    ),
);
