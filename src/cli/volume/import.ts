import { open } from "node:fs/promises";
import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume } from "../../engine/state/volumes.ts";
import { importVolume } from "../../engine/volumes/archive-volume.ts";
import { writeError } from "../../sys/write-error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";

/** `bunker volume import`. */
export const importContent = defineCommand(
  { options: {}, required: ["VOLUME", "FILE|-"], failureStatus: 1 },
  async ({ operands: [name, source] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const volume = findVolume(database, name);
    const warnings = await untilInterrupted(async (signal) => {
      if (source === "-") return importVolume(data, volume, { descriptor: 0, name: "standard input" }, signal);
      await using file = await open(source).catch((cause) => {
        throw writeError(cause, "read", source);
      });
      return await importVolume(data, volume, { descriptor: file.fd, name: source }, signal);
    });
    warnings.forEach(warning);
    return 0;
  },
);
