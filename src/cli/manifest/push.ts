import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/images/image-users.ts";
import type { Digest } from "../../image/digest.ts";
import { openListReader } from "../../image/manifest-list/list-reader.ts";
import { findList } from "../../image/manifest-list/list-store.ts";
import { Registries } from "../../image/registry/registries.ts";
import { collectGarbage } from "../../image/store/collect-garbage.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { type CopyOptions, copyImage } from "../../image/transport/copy-image.ts";
import { openRecompressedReader } from "../../image/transport/recompressed-reader.ts";
import type { ImageReader, ImageWriter } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { compressionOptions, packingOf } from "../image/compression-options.ts";
import { digestFileOption, writeDigestFile } from "../image/digest-file-option.ts";
import { manifestFormatOption } from "../image/manifest-format-option.ts";
import { openPushDestination, parsePushDestination } from "../image/push-destination.ts";
import { removeSignaturesOption } from "../image/remove-signatures-option.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { copyOutput } from "../progress/copy-output.ts";
import { registryOptions, registrySettings, retryOptions } from "../registry/registry-options.ts";
import { insecureOption, withInsecure } from "./manifest-options.ts";

/** `bunker manifest push`: a list and all of its images. */
export const push = defineCommand(
  {
    options: {
      ...registryOptions,
      ...retryOptions,
      all: flag({ name: "all", description: "Push the images of the list as well", initial: true }),
      ...compressionOptions,
      digestFile: digestFileOption,
      insecure: insecureOption,
      manifestKind: manifestFormatOption,
      purge: flag({
        name: "purge",
        aliases: ["rm"],
        short: "p",
        description: "Remove the list here when it has been pushed; also --rm",
      }),
      quiet: flag({ name: "quiet", short: "q", description: "Show no progress" }),
      removeSignatures: removeSignaturesOption,
    },
    required: ["MANIFEST_LIST"],
    optional: "[DESTINATION]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [text, destination] }) => {
    const { all, digestFile, manifestKind, purge, quiet } = options;
    if (!all && manifestKind !== undefined) {
      throw new BunkerError({ code: "conflicting_options", operation: "--format and --all=false exclude each other" });
    }
    const packing = packingOf(options);
    if (!all && packing !== undefined) {
      const operation = "--compression-format and --all=false exclude each other";
      throw new BunkerError({ code: "conflicting_options", operation });
    }
    const data = dataDirectory();
    using store = openImageStore(data);
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    const found = findList(store, text);
    const place = parsePushDestination(destination ?? `docker://${text}`);
    if (!all && place.kind === "docker-archive") {
      const operation = "docker-archive: has no list without its images, so --all=false is not possible with it";
      throw new BunkerError({ code: "conflicting_options", operation });
    }
    return await untilInterrupted(async (signal) => {
      await using list = openListReader(store, found, registries, signal);
      await using reader = packing === undefined ? list : openRecompressedReader(list, packing, data, signal);
      await using writer = await openPushDestination(place, registries, signal);
      const digest = await (all ? pushAll(reader, writer, { manifestKind, signal }, quiet) : pushAlone(reader, writer));
      print(digest);
      writeDigestFile(digestFile, digest);
      if (purge) {
        store.untag(found.name);
        collectGarbage(store, imageUsers(data));
      }
      return 0;
    });
  },
);

async function pushAll(
  reader: ImageReader,
  writer: ImageWriter,
  options: Pick<CopyOptions, "manifestKind" | "signal">,
  quiet: boolean,
): Promise<Digest> {
  using output = copyOutput({ moving: "Pushing", present: "Layer already exists", done: "Pushed" }, process.stderr);
  const onProgress = quiet ? () => {} : output.event;
  const { root } = await copyImage(reader, writer, { ...options, images: "all", onProgress });
  return root.digest;
}

/** The list only, for whose images are there already. */
async function pushAlone(reader: ImageReader, writer: ImageWriter): Promise<Digest> {
  const root = await reader.readManifest();
  await writer.writeManifest(root, true);
  await writer.commit();
  return root.digest;
}
