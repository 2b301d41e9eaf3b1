import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume } from "../../engine/state/volumes.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption, printInspections } from "../inspect-output.ts";
import { inspectVolume } from "./inspection.ts";

/** `bunker volume inspect`. */
export const inspect = defineCommand(
  { options: { format: inspectFormatOption }, required: ["VOLUME"], optional: "[VOLUME...]", failureStatus: 1 },
  async ({ options: { format }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    return await printInspections(operands, format, (name) => inspectVolume(data, findVolume(database, name)));
  },
);
