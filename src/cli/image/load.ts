import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { loadImages } from "../../image/store/load-images.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { flag, single } from "../option.ts";
import { copyOutput } from "../progress/copy-output.ts";
import { notEmpty } from "../values/words.ts";
import { platformsOption } from "./platform-option.ts";

/** `bunker load`, `bunker image load`. */
export const load = defineCommand(
  {
    options: {
      input: single({
        name: "input",
        short: "i",
        valueName: "FILE",
        description: "Read a file or directory instead of standard input",
        parse: notEmpty("expected a path"),
      }),
      platforms: platformsOption,
      quiet: flag({
        name: "quiet",
        short: "q",
        description: "Show no progress",
      }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { input, platforms, quiet } }) => {
    if (input === undefined && process.stdin.isTTY) {
      throw new BunkerError({
        code: "no_input",
        operation: "load images",
        reason: "standard input is a terminal",
        hint: "Give a file with -i, or send an archive to standard input.",
      });
    }
    using store = openImageStore(dataDirectory());
    const origin = input ?? { name: "standard input", stream: Bun.stdin.stream() as AsyncIterable<Uint8Array> };
    using output = copyOutput({ moving: "Loading", present: "Already exists", done: "Loaded" });
    const onProgress = quiet ? () => {} : output.event;
    await untilInterrupted((signal) =>
      loadImages(store, origin, { platforms: platforms.flat(), signal, onProgress }, ({ ids, names }) => {
        const [id] = ids;
        recordImageEvent(store.directory, "load", id, names[0] === undefined ? id : familiarName(names[0]));
        for (const name of names) output.print(`Loaded image: ${familiarName(name)}`);
        if (names.length === 0) for (const each of ids) output.print(`Loaded image ID: ${each}`);
      }),
    );
    return 0;
  },
);
