import { stopContainer } from "../../engine/lifecycle/stop-container.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { single } from "../option.ts";
import { parseSignalName } from "../values/life-values.ts";
import { integerBetween } from "../values/numbers.ts";
import { eachContainer } from "./each-container.ts";
import { ifMissing, ignoreOption, meantContainers, selectionOptions } from "./meant-containers.ts";
import { isAlive } from "./status-text.ts";

/** The options of `stop` and `restart`. */
export const stopOptions = {
  signal: single({
    name: "signal",
    short: "s",
    valueName: "SIGNAL",
    description: "The signal that asks it to end, instead of its own",
    parse: parseSignalName,
  }),
  timeout: single({
    name: "timeout",
    aliases: ["time"],
    short: "t",
    valueName: "SECONDS",
    description: "How long it has for that before it is killed; -1 for ever",
    parse: integerBetween(-1, 2 ** 31 - 1),
  }),
} as const;

/** `bunker stop`. */
export const stop = defineCommand(
  {
    options: { ...stopOptions, ...selectionOptions, ignore: ignoreOption },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(
      meantContainers("bunker stop", operands, options, isAlive),
      ({ database, data, container, reference }) => {
        stopContainer(database, data, container, options);
        return reference;
      },
      ifMissing(options.ignore),
    ),
);
