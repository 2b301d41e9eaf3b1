import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume, listVolumes } from "../../engine/state/volumes.ts";
import { removeVolume } from "../../engine/volumes/remove-volume.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** `bunker volume rm`. */
export const remove = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "All volumes" }),
      force: flag({ name: "force", short: "f", description: "No error for a volume that is not there" }),
    },
    insteadOfFirst: ["all"],
    required: ["VOLUME"],
    optional: "[VOLUME...]",
    failureStatus: 1,
  },
  async ({ options: { all, force }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    let status = 0;
    for (const name of all ? listVolumes(database).map(({ name }) => name) : operands) {
      try {
        removeVolume(database, data, findVolume(database, name));
        print(name);
      } catch (error) {
        // As in Docker it is as if it had been removed.
        if (force && error instanceof BunkerError && error.code === "no_such_volume") print(name);
        else {
          await reportError(error);
          status = 1;
        }
      }
    }
    return status;
  },
);
