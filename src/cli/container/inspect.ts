import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption, printInspections } from "../inspect-output.ts";
import { inspectContainer } from "./inspection.ts";
import { latestOption, namedOrLatest } from "./meant-containers.ts";

/** `bunker container inspect`. */
export const inspect = defineCommand(
  {
    isBrief: true,
    options: { format: inspectFormatOption, latest: latestOption },
    insteadOfFirst: "latest",
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
    failureStatus: 1,
  },
  ({ options: { format, latest }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    return printInspections(operands, format, (name) =>
      inspectContainer(database, data, namedOrLatest(database, data, name, { latest: latest && name === "" })),
    );
  },
);
