import { dataDirectory } from "../../engine/data-directory.ts";
import { listContainerChanges } from "../../engine/files/list-container-changes.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { changesFormat, printChanges } from "../changes-output.ts";
import { defineCommand } from "../command.ts";

import { untilInterrupted } from "../interruption.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";

/** `bunker diff`. */
export const diff = defineCommand(
  {
    options: { format: changesFormat, latest: latestOption },
    insteadOfFirst: ["latest"],
    required: ["CONTAINER"],
    failureStatus: 1,
    isBrief: true,
    leave: leaveMemory,
  },
  async ({ options, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    printChanges(
      await untilInterrupted((signal) =>
        whileThere(database, data, container, () => listContainerChanges(data, container, signal)),
      ),
      options.format,
    );
    return 0;
  },
);
