import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume, listVolumes } from "../../engine/state/volumes.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { printInspections } from "../inspect-output.ts";
import { flag } from "../option.ts";
import { inspectVolume } from "./inspection.ts";

/** `bunker volume inspect`. */
export const inspect = defineCommand(
  {
    options: { all: flag({ name: "all", short: "a", description: "All volumes" }), format: inspectFormatOption },
    insteadOfFirst: ["all"],
    required: ["VOLUME"],
    optional: "[VOLUME...]",
    failureStatus: 1,
  },
  async ({ options: { all, format }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const names = all ? listVolumes(database).map(({ name }) => name) : operands;
    return await printInspections(names, format, (name) => inspectVolume(data, findVolume(database, name)));
  },
);
