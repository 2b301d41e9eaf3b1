import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { killContainer } from "../../runtime/lifecycle/kill-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { parseSignal } from "../../sys/signal.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { actOnChosen, regexOption } from "./chosen-containers.ts";
import type { RuntimeGlobals } from "./globals.ts";

/** `bunker runtime kill`. */
export const kill = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Signal all processes of the container" }),
      regex: regexOption,
    },
    isBrief: true,
    required: ["ID"],
    optional: "[SIGNAL]",
    optionalLimit: 1,
  },
  ({ options, operands: [id, signal = "SIGTERM"] }, globals: RuntimeGlobals) => {
    const root = stateRoot(globals.root);
    // As with kill(2): whether there is somebody to signal.
    const number = signal === "0" ? 0 : parseSignal(signal);
    return actOnChosen(root, id, options.regex, globals, (chosen) => {
      using directory = ContainerDirectory.open(root, chosen);
      killContainer(directory, number, options.all);
    });
  },
);
