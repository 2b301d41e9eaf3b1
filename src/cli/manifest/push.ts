import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/image-users.ts";
import type { Digest } from "../../image/digest.ts";
import { openListReader } from "../../image/manifest-list/list-reader.ts";
import { findList } from "../../image/manifest-list/list-store.ts";
import { parseReference } from "../../image/reference.ts";
import { Registries } from "../../image/registry/registries.ts";
import { RegistryWriter } from "../../image/registry/registry-writer.ts";
import { collectGarbage } from "../../image/store/collect-garbage.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { copyImage } from "../../image/transport/copy-image.ts";
import type { ImageReader, ImageWriter } from "../../image/transport/transport.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { flag } from "../option.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { insecureOption, withInsecure } from "./manifest-options.ts";

/** `bunker manifest push`: a list and all of its images. */
export const push = defineCommand(
  {
    options: {
      ...registryOptions,
      all: flag({ name: "all", description: "Push the images of the list as well", initial: true }),
      insecure: insecureOption,
      purge: flag({ name: "purge", short: "p", description: "Remove the list here when it has been pushed" }),
    },
    required: ["MANIFEST_LIST"],
    optional: "[DESTINATION]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [text, destination = text] }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure));
    const found = findList(store, text);
    const reference = parseReference(destination.replace(/^docker:\/\//, ""));
    return await untilInterrupted(async (signal) => {
      await using reader = openListReader(store, found, registries, signal);
      await using writer = new RegistryWriter(registries, reference, signal);
      console.log(await (options.all ? pushAll(reader, writer, signal) : pushAlone(reader, writer)));
      if (options.purge) {
        store.untag(found.name);
        collectGarbage(store, imageUsers(data));
      }
      return 0;
    });
  },
);

async function pushAll(reader: ImageReader, writer: ImageWriter, signal: AbortSignal): Promise<Digest> {
  const { root } = await copyImage(reader, writer, { platform: "all", signal, onProgress: () => {} });
  return root.digest;
}

/** The list only, for whose images are there already. */
async function pushAlone(reader: ImageReader, writer: ImageWriter): Promise<Digest> {
  const root = await reader.readManifest();
  await writer.writeManifest(root, true);
  await writer.commit();
  return root.digest;
}
