import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer, openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption, printInspections } from "../inspect-output.ts";
import { inspectContainer } from "./inspection.ts";

/** `bunker container inspect`. */
export const inspect = defineCommand(
  {
    options: { format: inspectFormatOption },
    isBrief: true,
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
    failureStatus: 1,
  },
  ({ options: { format }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    return printInspections(operands, format, (name) =>
      inspectContainer(database, data, findContainer(database, data, name)),
    );
  },
);
