import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume } from "../../engine/state/volumes.ts";
import { exportVolume } from "../../engine/volumes/archive-volume.ts";
import { openFileOutput } from "../../image/transport/byte-output.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { single } from "../option.ts";
import { notEmpty } from "../values/words.ts";

const STANDARD_OUTPUT = { descriptor: 1, name: "standard output" };

/** `bunker volume export`. */
export const exportContent = defineCommand(
  {
    options: {
      output: single({
        name: "output",
        short: "o",
        valueName: "FILE",
        description: "Write to a file instead of standard output",
        parse: notEmpty("expected a path"),
      }),
    },
    required: ["VOLUME"],
    failureStatus: 1,
  },
  async ({ options: { output }, operands: [name] }) => {
    if (output === undefined && process.stdout.isTTY) {
      throw new BunkerError({
        code: "no_output",
        operation: "export the volume",
        reason: "standard output is a terminal, which an archive would garble",
        hint: "Give a place with -o.",
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    const volume = findVolume(database, name);
    const warnings = await untilInterrupted(async (signal) => {
      if (output === undefined) return exportVolume(data, volume, STANDARD_OUTPUT, signal);
      await using file = await openFileOutput(output);
      const told = await exportVolume(data, volume, { descriptor: file.descriptor, name: output }, signal);
      await file.commit();
      return told;
    });
    warnings.forEach(warning);
    return 0;
  },
);
