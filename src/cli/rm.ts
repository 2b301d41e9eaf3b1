import { removeContainer } from "../engine/lifecycle/remove-container.ts";
import { defineCommand } from "./command.ts";
import { eachContainer } from "./container/each-container.ts";
import { allOption, idFileOption, latestOption, meantContainers } from "./container/meant-containers.ts";
import { flag } from "./option.ts";

/** `bunker rm`. */
export const rm = defineCommand(
  {
    options: {
      all: allOption,
      latest: latestOption,
      idFiles: idFileOption,
      force: flag({ name: "force", short: "f", description: "Kill it first if it runs; no error if it is not there" }),
      volumes: flag({ name: "volumes", short: "v", description: "Remove its volumes without a name, too" }),
    },
    isBrief: true,
    required: [],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) =>
    eachContainer(
      meantContainers("bunker rm", operands, options),
      ({ database, data, container, reference }) => {
        removeContainer(database, data, container, options);
        return reference;
      },
      { ignoresMissing: options.force },
    ),
);
