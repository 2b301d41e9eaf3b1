import { parseChanges } from "../../build/dockerfile/parse-changes.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { commitContainer } from "../../engine/files/commit-container.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { pauseContainer, unpauseContainer } from "../../engine/lifecycle/pause-container.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { newImageName } from "../../image/new-name.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag, list, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { writeIdFile } from "./id-file.ts";

/** `bunker commit`. */
export const commit = defineCommand(
  {
    options: {
      author: single({
        name: "author",
        short: "a",
        valueName: "TEXT",
        description: "Who has made the image",
        parse: (text) => text,
      }),
      changes: list({
        name: "change",
        short: "c",
        valueName: "INSTRUCTION",
        description: "An instruction of a Dockerfile for the image, such as 'CMD [\"sh\"]'",
        parse: (text) => text,
      }),
      format: single({
        name: "format",
        short: "f",
        valueName: "FORM",
        description: "Whose media types the image has: oci or docker",
        parse: oneOf("oci", "docker"),
        initial: "oci",
        initialText: "oci",
      }),
      idFile: single({
        name: "iidfile",
        valueName: "FILE",
        description: "Write the image's id to a file",
        parse: (text) => text,
      }),
      message: single({
        name: "message",
        short: "m",
        valueName: "TEXT",
        description: "What the image's history says of it",
        parse: (text) => text,
      }),
      includeVolumes: flag({
        name: "include-volumes",
        description: "Name in the image also the volumes that -v and --mount have given the container",
      }),
      noPause: flag({ name: "no-pause", description: "Do not freeze the container; the same as --pause=false" }),
      pause: flag({
        name: "pause",
        short: "p",
        description: "Freeze the container meanwhile, if it has a cgroup of its own",
        initial: true,
      }),
      quiet: flag({ name: "quiet", short: "q", description: "Say nothing but the image's id" }),
      squash: flag({ name: "squash", short: "s", description: "Make one layer of everything" }),
    },
    required: ["CONTAINER"],
    optional: "[REPOSITORY[:TAG]]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options: { idFile, noPause, pause, quiet, ...options }, operands: [reference, name] }) => {
    const changes = parseChanges(options.changes);
    const data = dataDirectory();
    const writeId = idFile === undefined ? undefined : writeIdFile(idFile);
    const fullName = name === undefined ? undefined : newImageName(name);
    using database = openContainers(data);
    using store = openImageStore(data);
    const container = findContainer(database, data, reference);
    const tell = quiet ? () => {} : warning;
    const { id, warnings } = await untilInterrupted(async (signal) => {
      using _ = pause && !noPause ? pauseMeanwhile(database, data, container, tell) : undefined;
      return await whileThere(database, data, container, () =>
        commitContainer(store, data, container, { ...options, changes, name: fullName, signal }),
      );
    });
    recordContainerEvent(data, "commit", container, { imageID: id, imageRef: fullName ?? "" });
    warnings.forEach(tell);
    writeId?.(id);
    print(id);
    return 0;
  },
);

/** Freezes a container that runs, where that can be done, until it is disposed of. */
function pauseMeanwhile(
  database: StateDatabase,
  data: string,
  container: Container,
  tell: (message: string) => void,
): Disposable | undefined {
  if (container.status !== "running") return undefined;
  if (container.cgroup === undefined) {
    tell(
      `container ${container.name} has no cgroup of its own, so it goes on meanwhile; files that it changes now may be half old and half new`,
    );
    return undefined;
  }
  pauseContainer(database, data, container);
  return {
    [Symbol.dispose]: () => {
      const now = findContainer(database, data, container.id);
      if (now.status === "paused") unpauseContainer(database, data, now);
    },
  };
}
