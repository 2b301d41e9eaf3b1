import { updateContainer } from "../../engine/lifecycle/update-container.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { single } from "../option.ts";
import { resourceOptions, resourcesOf } from "../resource-options.ts";
import { parseRestartPolicy } from "../values/life-values.ts";
import { eachContainer } from "./each-container.ts";

/** `bunker update`. */
export const update = defineCommand(
  {
    options: {
      ...resourceOptions,
      restart: single({
        name: "restart",
        valueName: "no|always|unless-stopped|on-failure[:COUNT]",
        description: "When to start it again after its end",
        parse: parseRestartPolicy,
      }),
    },
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
  },
  ({ options, operands }) => {
    const resources = resourcesOf(options, true);
    const { restart } = options;
    if (resources === undefined && restart === undefined) {
      throw new BunkerError({
        code: "nothing_to_change",
        operation: "update container",
        reason: "nothing to change was named",
        hint: "Give a limit, such as --memory 512m, or a policy, such as --restart always.",
      });
    }
    return eachContainer(operands, ({ database, data, container, reference }) => {
      updateContainer(database, data, container, { resources, restart });
      return reference;
    });
  },
);
