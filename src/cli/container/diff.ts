import { dataDirectory } from "../../engine/data-directory.ts";
import { listContainerChanges } from "../../engine/files/list-container-changes.ts";
import { whileThere } from "../../engine/files/while-there.ts";
import { findContainer, openContainers } from "../../engine/state/containers.ts";
import { changesFormat, printChanges } from "../changes-output.ts";
import { defineCommand } from "../command.ts";

import { untilInterrupted } from "../interruption.ts";

/** `bunker diff`. */
export const diff = defineCommand(
  { options: { format: changesFormat }, required: ["CONTAINER"], failureStatus: 1 },
  async ({ options: { format }, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    printChanges(
      await untilInterrupted((signal) =>
        whileThere(database, data, container, () => listContainerChanges(data, container, signal)),
      ),
      format,
    );
    return 0;
  },
);
