import { updateContainer } from "../../engine/lifecycle/update-container.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { resourceOptions, takeResources } from "../resource-options.ts";
import { eachContainer } from "./each-container.ts";

/** `bunker update`. */
export const update = defineCommand(
  { options: resourceOptions, required: ["CONTAINER"], optional: "[CONTAINER...]" },
  ({ options, operands }) => {
    const { resources } = takeResources(options, true);
    if (resources === undefined) {
      throw new BunkerError({
        code: "nothing_to_change",
        operation: "update container",
        reason: "nothing to change was named",
        hint: "Give a limit, such as --memory 512m.",
      });
    }
    return eachContainer(operands, ({ data, container, reference }) => {
      updateContainer(data, container, resources);
      return reference;
    });
  },
);
