import type { OpenDownload } from "../../build/context/download.ts";
import { parseChanges } from "../../build/dockerfile/parse-changes.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { newImageName } from "../../image/new-name.ts";
import { parsePlatform } from "../../image/platform.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { importImage } from "../../image/store/import-image.ts";
import type { ArchiveOrigin } from "../../image/transport/archive-input.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { flag, list, single } from "../option.ts";
import { print } from "../print.ts";
import { platformOf, platformOption, platformPartOptions } from "./platform-option.ts";

/** `bunker import`, `bunker image import`. */
export const importArchive = defineCommand(
  {
    options: {
      changes: list({
        name: "change",
        short: "c",
        valueName: "INSTRUCTION",
        description: "An instruction of a Dockerfile for the image, such as 'CMD [\"sh\"]'",
        parse: (text) => text,
      }),
      message: single({
        name: "message",
        short: "m",
        valueName: "TEXT",
        description: "What the image's history says of it",
        parse: (text) => text,
      }),
      platform: platformOption,
      ...platformPartOptions,
      quiet: flag({ name: "quiet", short: "q", description: "Show no progress; there is none in any case" }),
    },
    required: ["FILE|URL|-"],
    optional: "[REPOSITORY[:TAG]]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [source, name] }) => {
    const parsedChanges = parseChanges(options.changes);
    const platform = platformOf(options);
    using store = openImageStore(dataDirectory());
    const fullName = name === undefined ? undefined : newImageName(name);
    await untilInterrupted(async (signal) => {
      using download = isUrl(source) ? await begin(source, signal) : undefined;
      const id = await importImage(store, download ?? localOrigin(source), {
        changes: parsedChanges,
        message: options.message ?? `Imported from ${download?.name ?? source}`,
        platform: platform === undefined ? undefined : parsePlatform(platform),
        name: fullName,
        signal,
      });
      recordImageEvent(store.directory, "import", id, fullName === undefined ? id : familiarName(fullName));
      print(id);
    });
    return 0;
  },
);

function localOrigin(source: string): ArchiveOrigin {
  if (source !== "-") return source;
  return { name: "standard input", stream: Bun.stdin.stream() as AsyncIterable<Uint8Array> };
}

function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

async function begin(source: string, signal: AbortSignal): Promise<OpenDownload> {
  if (!URL.canParse(source)) {
    throw new BunkerError({ code: "download_failed", operation: "download", object: source, reason: "it is no URL" });
  }
  const { openDownload } = await import("../../build/context/download.ts");
  return await openDownload(new URL(source), signal);
}
