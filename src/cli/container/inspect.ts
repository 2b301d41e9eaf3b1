import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { printInspections } from "../inspect-output.ts";
import { inspectContainer, inspectSizeOption } from "./inspection.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";

/** `bunker container inspect`. */
export const inspect = defineCommand(
  {
    isBrief: true,
    leave: leaveMemory,
    options: { format: inspectFormatOption, latest: latestOption, size: inspectSizeOption },
    insteadOfFirst: ["latest"],
    required: ["CONTAINER"],
    optional: "[CONTAINER...]",
    failureStatus: 1,
  },
  async ({ options: { format, latest, size }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const sizeOf = size ? (await import("../../engine/files/container-size.ts")).containerMeasure(data) : undefined;
    return await printInspections(operands, format, (name) =>
      inspectContainer(database, data, namedOrLatest(database, data, name, { latest: latest && name === "" }), sizeOf),
    );
  },
);
