import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume } from "../../engine/state/volumes.ts";
import { exportVolume } from "../../engine/volumes/archive-volume.ts";
import { archiveOutputOption, refuseTerminal, writeArchive } from "../archive-output.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";

/** `bunker volume export`. */
export const exportContent = defineCommand(
  {
    options: { output: archiveOutputOption },
    required: ["VOLUME"],
    failureStatus: 1,
  },
  async ({ options: { output }, operands: [name] }) => {
    refuseTerminal(output, "export the volume");
    const data = dataDirectory();
    using database = openContainers(data);
    const volume = findVolume(database, name);
    const warnings = await untilInterrupted((signal) =>
      writeArchive(output, (destination) => exportVolume(data, volume, destination, signal)),
    );
    warnings.forEach(warning);
    return 0;
  },
);
