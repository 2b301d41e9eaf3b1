import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { parsePlatform } from "../../image/platform.ts";
import { familiarReference, familiarRepository, fullRepository, parseReference } from "../../image/reference.ts";
import { Registries } from "../../image/registry/registries.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import { namesOfRepository } from "../../image/store/names-of-repository.ts";
import { openStoreReader } from "../../image/store/store-reader.ts";
import { copyImage } from "../../image/transport/copy-image.ts";
import { formatLocalPlace } from "../../image/transport/image-place.ts";
import { openRecompressedReader, type Packing } from "../../image/transport/recompressed-reader.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { quote } from "../option-table.ts";
import { print } from "../print.ts";
import { registryOptions, registrySettings, retryOptions } from "../registry/registry-options.ts";
import { compressionOptions, packingOf } from "./compression-options.ts";
import { contentTrustUnknown, disableContentTrustOption } from "./content-trust-option.ts";
import { digestFileOption, writeDigestFile } from "./digest-file-option.ts";
import { manifestFormatOption } from "./manifest-format-option.ts";
import { platformOption } from "./platform-option.ts";
import { openPushDestination, type PushDestination, parsePushDestination } from "./push-destination.ts";
import { pushOutput } from "./push-output.ts";
import { removeSignaturesOption } from "./remove-signatures-option.ts";

const PLAIN_LAYERS_WITH_GZIP: Packing = { compression: "gzip", level: undefined, layers: "plain" };

/** An image of the store, and where it goes. */
interface Push {
  readonly source: string;
  readonly destination: PushDestination;
}

/** `bunker push`, `bunker image push`. */
export const push = defineCommand(
  {
    options: {
      ...registryOptions,
      ...retryOptions,
      allTags: flag({ name: "all-tags", short: "a", description: "Push all tags of the repository" }),
      compresses: flag({ name: "compress", description: "Pack layers that are not packed, with gzip; for dir: only" }),
      ...compressionOptions,
      digestFile: digestFileOption,
      disableContentTrust: disableContentTrustOption,
      manifestKind: manifestFormatOption,
      platform: platformOption,
      quiet: flag({ name: "quiet", short: "q", description: "Print only the name" }),
      removeSignatures: removeSignaturesOption,
    },
    required: ["NAME[:TAG]"],
    optional: "[DESTINATION]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [source, destination] }) => {
    const { manifestKind, quiet } = options;
    if (!options.disableContentTrust) throw contentTrustUnknown("push", source);
    const asked = packingOf(options);
    const packing = options.compresses ? PLAIN_LAYERS_WITH_GZIP : asked;
    using store = openImageStore(dataDirectory());
    using registries = new Registries(registrySettings(options), warning);
    const pushes = options.allTags ? allTags(store, source, destination) : [onePush(source, destination)];
    if (options.compresses) checkCompress(pushes, asked);
    using output = pushOutput(quiet);
    const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
    await untilInterrupted(async (signal) => {
      let begun: string | undefined;
      for (const { source: name, destination: place } of pushes) {
        await using stored = openStoreReader(store, name, platform);
        await using reader =
          packing === undefined ? stored : openRecompressedReader(stored, packing, store.directory, signal);
        const target = place.kind === "registry" ? fullRepository(place.reference) : formatLocalPlace(place);
        await using writer = await openPushDestination(place, registries, signal);
        if (target !== begun) output.begin(target);
        begun = target;
        const wish = { images: "all", manifestKind, signal, onProgress: output.event } as const;
        const { root } = await copyImage(reader, writer, wish);
        const image = store.findIfThere(name, platform);
        if (place.kind === "registry") {
          const { reference } = place;
          output.end(reference.tag, root);
          recordImageEvent(store.directory, "push", familiarReference(reference), familiarRepository(reference));
          if (image !== undefined) store.noteRepository(image, root.digest, target);
          if (quiet) print(`${target}${reference.tag === undefined ? "" : `:${reference.tag}`}`);
        } else {
          output.end(undefined, root);
          recordImageEvent(store.directory, "push", image?.id ?? name, name);
          if (quiet) print(target);
        }
        writeDigestFile(options.digestFile, root.digest);
      }
    });
    return 0;
  },
);

/** @throws BunkerError `conflicting_options` */
function checkCompress(pushes: readonly Push[], packing: Packing | undefined): void {
  const isForDirectory = pushes.every(({ destination }) => destination.kind === "dir");
  if (isForDirectory && packing === undefined) return;
  const operation = isForDirectory
    ? "--compress and --compression-format exclude each other"
    : "--compress can only be set when the destination is dir:";
  throw new BunkerError({ code: "conflicting_options", operation });
}

/** The destination is the image's own name, or another place. */
function onePush(source: string, destination: string | undefined): Push {
  return { source, destination: parsePushDestination(destination ?? `docker://${source}`) };
}

function allTags(store: ImageStore, name: string, destination: string | undefined): Push[] {
  const repository = parseReference(name);
  if (destination !== undefined || repository.tag !== undefined || repository.digest !== undefined) {
    throw new BunkerError({
      code: "invalid_reference",
      operation:
        destination === undefined
          ? "tag can't be used with --all-tags/-a"
          : "a destination can't be used with --all-tags/-a",
      hint: "Give the name of a repository alone.",
    });
  }
  const names = namesOfRepository(store, repository);
  if (names.length === 0) {
    throw new BunkerError({
      code: "image_not_found",
      operation: "push all tags of",
      object: quote(name),
      reason: "no image has a name in this repository",
    });
  }
  return names.map((text) => ({
    source: text,
    destination: { kind: "registry", reference: parseReference(text) },
  }));
}
