import { killContainer } from "../../engine/lifecycle/stop-container.ts";
import { defineCommand } from "../command.ts";
import { single } from "../option.ts";
import { parseSignalName } from "../values/life-values.ts";
import { eachContainer } from "./each-container.ts";

/** `bunker kill`. */
export const kill = defineCommand(
  {
    options: {
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
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(operands, ({ database, data, container, reference }) => {
      killContainer(database, data, container, options.signal);
      return reference;
    }),
);
