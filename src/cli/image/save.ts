import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { Registries } from "../../image/registry/registries.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { saveImages } from "../../image/transport/save-images.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag, single } from "../option.ts";
import { copyOutput } from "../progress/copy-output.ts";
import { oneOf } from "../values/choice.ts";
import { notEmpty } from "../values/words.ts";
import { platformsOption } from "./platform-option.ts";

/** `bunker save`, `bunker image save`. */
export const save = defineCommand(
  {
    options: {
      compress: flag({
        name: "compress",
        description: "Pack layers with gzip that are not packed; of docker-dir only",
      }),
      format: single({
        name: "format",
        valueName: "FORM",
        description: "docker-archive, oci-archive, oci-dir or docker-dir",
        parse: oneOf("docker-archive", "oci-archive", "oci-dir", "docker-dir"),
        initial: "docker-archive",
        initialText: "docker-archive",
      }),
      keepsAll: flag({
        name: "multi-image-archive",
        short: "m",
        description: "Take each operand for an image of its own, which is always so",
      }),
      quiet: flag({ name: "quiet", short: "q", description: "Show no progress" }),
      output: single({
        name: "output",
        short: "o",
        valueName: "FILE",
        description: "Write to a file or directory instead of standard output",
        parse: notEmpty("expected a path"),
      }),
      platforms: platformsOption,
      leavesUnpacked: flag({
        name: "uncompressed",
        description: "Leave layers that are not compressed as they are, which is always so",
      }),
    },
    required: ["IMAGE"],
    optional: "[IMAGE...]",
    failureStatus: 1,
  },
  async ({ options: { compress, format, output, platforms, quiet }, operands }) => {
    if (compress && format !== "docker-dir") {
      const operation = "--compress can only be set when --format is docker-dir";
      throw new BunkerError({ code: "conflicting_options", operation });
    }
    if (output === undefined) refuseStandardOutput(format);
    using store = openImageStore(dataDirectory());
    using registries = new Registries({}, warning);
    // Standard output may be where the archive goes.
    using progress = copyOutput({ moving: "Saving", present: "Already there", done: "Saved" }, process.stderr);
    await untilInterrupted((signal) =>
      saveImages(store, operands, {
        compress,
        format,
        output,
        platforms: platforms.flat(),
        registries,
        signal,
        onProgress: quiet ? () => {} : progress.event,
      }),
    );
    for (const name of operands) recordImageEvent(store.directory, "save", store.findIfThere(name)?.id ?? name, name);
    return 0;
  },
);

function refuseStandardOutput(format: string): void {
  const isDirectory = format.endsWith("-dir");
  if (!isDirectory && !process.stdout.isTTY) return;
  throw new BunkerError({
    code: "no_output",
    operation: "save the images",
    reason: isDirectory
      ? `${format} is a directory and cannot go to standard output`
      : "standard output is a terminal, which an archive would garble",
    hint: "Give a place with -o.",
  });
}
