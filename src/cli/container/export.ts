import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { type ArchiveDestination, exportContainer } from "../../engine/files/export-container.ts";
import { whileThere } from "../../engine/files/while-there.ts";
import { findContainer, openContainers } from "../../engine/state/containers.ts";
import { openFileOutput } from "../../image/transport/byte-output.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { single } from "../option.ts";
import { notEmpty } from "../values/words.ts";

const STANDARD_OUTPUT = { descriptor: 1, name: "standard output" };

/** `bunker export`. */
export const exportFiles = defineCommand(
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
    required: ["CONTAINER"],
    failureStatus: 1,
  },
  async ({ options: { output }, operands: [reference] }) => {
    if (output === undefined && process.stdout.isTTY) {
      throw new BunkerError({
        code: "no_output",
        operation: "export the container",
        reason: "standard output is a terminal, which an archive would garble",
        hint: "Give a place with -o.",
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    const warnings = await untilInterrupted(async (signal) => {
      const write = (destination: ArchiveDestination) =>
        whileThere(database, data, container, () => exportContainer(data, container, destination, signal));
      if (output === undefined) return write(STANDARD_OUTPUT);
      await using file = await openFileOutput(output);
      const told = await write({ descriptor: file.descriptor, name: output });
      await file.commit();
      return told;
    });
    recordContainerEvent(data, "export", container);
    warnings.forEach(warning);
    return 0;
  },
);
