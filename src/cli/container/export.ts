import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { exportContainer } from "../../engine/files/export-container.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { archiveOutputOption, refuseTerminal, writeArchive } from "../archive-output.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";

/** `bunker export`. */
export const exportFiles = defineCommand(
  {
    options: { output: archiveOutputOption },
    required: ["CONTAINER"],
    failureStatus: 1,
  },
  async ({ options: { output }, operands: [reference] }) => {
    refuseTerminal(output, "export the container");
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    const warnings = await untilInterrupted((signal) =>
      writeArchive(output, (destination) =>
        whileThere(database, data, container, () => exportContainer(data, container, destination, signal)),
      ),
    );
    recordContainerEvent(data, "export", container);
    warnings.forEach(warning);
    return 0;
  },
);
