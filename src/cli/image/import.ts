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
      const id = await importImage(store, await originOf(source, signal), {
        changes: parsedChanges,
        message: options.message ?? `Imported from ${source}`,
        platform: platform === undefined ? undefined : parsePlatform(platform),
        name: fullName,
        signal,
      });
      recordImageEvent(store.directory, "import", id, fullName === undefined ? id : familiarName(fullName));
      console.log(id);
    });
    return 0;
  },
);

async function originOf(source: string, signal: AbortSignal): Promise<ArchiveOrigin> {
  if (source === "-") return { name: "standard input", stream: Bun.stdin.stream() as AsyncIterable<Uint8Array> };
  if (!/^https?:\/\//.test(source)) return source;
  const unreachable = (reason: string, cause?: unknown) =>
    new BunkerError({ code: "download_failed", operation: "download", object: source, reason }, { cause });
  let response: Response;
  try {
    response = await fetch(source, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (!response.ok || response.body === null) throw unreachable(`the server answers ${response.status}`);
  return { name: source, stream: response.body as AsyncIterable<Uint8Array> };
}
