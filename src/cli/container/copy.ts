import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { type CopyPlace, copyFiles } from "../../engine/files/copy-files.ts";
import { lookUpContainer } from "../../engine/lifecycle/find-container.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { humanSize } from "../format/human-size.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { standardError } from "../standard-error.ts";

/** `bunker cp`. */
export const copyContainerFiles = defineCommand(
  {
    options: {
      keepOwners: flag({
        name: "archive",
        short: "a",
        description: "Keep the owners of files, by their ids in the container",
      }),
      followLinks: flag({
        name: "follow-link",
        short: "L",
        description: "Copy what a symbolic link leads to, if SOURCE is one",
      }),
      overwrites: flag({
        name: "overwrite",
        description: "Let directories take the place of other files, and the other way round",
      }),
      quiet: flag({ name: "quiet", short: "q", description: "Do not say how much was copied" }),
    },
    required: ["[CONTAINER:]SOURCE|-", "[CONTAINER:]DESTINATION|-"],
    failureStatus: 1,
  },
  async ({ options: { quiet, ...options }, operands: [sourceText, destinationText] }) => {
    const [source, destination] = [placeOf(sourceText), placeOf(destinationText)];
    if (source.kind !== "container" && destination.kind !== "container") {
      throw new BunkerError({
        code: "no_container",
        operation: "copy",
        reason: "neither of the two places is in a container",
        hint: "A file of a container is CONTAINER:PATH.",
      });
    }
    if (destination.kind === "archive" && process.stdout.isTTY) {
      throw new BunkerError({
        code: "no_output",
        operation: "copy to standard output",
        reason: "it is a terminal, which an archive would garble",
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    const { size, warnings } = await untilInterrupted((signal) =>
      copyFiles(database, data, source, destination, options, signal),
    );
    warnings.forEach(warning);
    for (const [place, action] of [
      [source, "archive-path"],
      [destination, "extract-to-dir"],
    ] as const) {
      // Somebody may have removed it meanwhile.
      const container = place.kind === "container" ? lookUpContainer(database, data, place.container) : undefined;
      if (container !== undefined) recordContainerEvent(data, action, container);
    }
    if (!quiet && process.stderr.isTTY) standardError.writeLine(`Copied ${humanSize(size)} to ${destinationText}`);
    return 0;
  },
);

/** Reads a place as `docker cp` does: what begins with a slash or a dot is on the host, whatever colons are in it. */
function placeOf(text: string): CopyPlace {
  if (text === "-") return { kind: "archive" };
  const colon = text.indexOf(":");
  if (colon > 0 && !/^[./]/.test(text)) {
    return { kind: "container", container: text.slice(0, colon), path: checked(text.slice(colon + 1)) };
  }
  return { kind: "host", path: checked(text) };
}

function checked(path: string): string {
  if (path !== "") return path;
  throw new BunkerError({ code: "no_path", operation: "copy", reason: "a path is empty" });
}
