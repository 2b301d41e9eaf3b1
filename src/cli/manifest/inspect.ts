import { dataDirectory } from "../../engine/data-directory.ts";
import { parseDocument } from "../../image/documents.ts";
import { openListReader } from "../../image/manifest-list/list-reader.ts";
import { findList, findListIfThere } from "../../image/manifest-list/list-store.ts";
import { findMember } from "../../image/manifest-list/manifest-list.ts";
import { DOCKER_MANIFEST, isIndex } from "../../image/media-types.ts";
import { fullRepository, parseReference } from "../../image/reference.ts";
import { Registries } from "../../image/registry/registries.ts";
import { RegistryReader } from "../../image/registry/registry-reader.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import type { ImageReader, Manifest } from "../../image/transport/transport.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { insecureOption, withInsecure } from "./manifest-options.ts";
import { memberDigest } from "./member-operand.ts";

const INDENT = "\t";

/** `bunker manifest inspect`: a list that is here, one image of it, or what a registry has under a name. */
export const inspect = defineCommand(
  {
    options: {
      ...registryOptions,
      insecure: insecureOption,
      verbose: flag({ name: "verbose", short: "v", description: "Show each image's descriptor and manifest too" }),
    },
    required: ["MANIFEST_LIST|MANIFEST"],
    optional: "[MANIFEST]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [text, member] }) => {
    using store = openImageStore(dataDirectory());
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    return await untilInterrupted(async (signal) => {
      if (member !== undefined) {
        print(JSON.stringify(inspectMember(store, text, member), undefined, INDENT));
        return 0;
      }
      const name = text.replace(/^docker:\/\//, "");
      // A name with a transport is the registry's.
      const local = name === text ? findListIfThere(store, text) : undefined;
      await using reader =
        local === undefined
          ? new RegistryReader(registries, parseReference(name), signal)
          : openListReader(store, local, registries, signal);
      const manifest = await reader.readManifest();
      const shown = options.verbose ? await describe(reader, manifest, name) : parse(manifest);
      print(JSON.stringify(shown, undefined, INDENT));
      return 0;
    });
  },
);

function inspectMember(store: ImageStore, text: string, member: string): unknown {
  const found = findList(store, text);
  const { digest } = findMember(found.list, memberDigest(store, found, member), text);
  return JSON.parse(store.readDocument(digest).toString());
}

function parse({ bytes }: Manifest): unknown {
  return JSON.parse(bytes.toString());
}

/** As `docker manifest inspect --verbose`: of an image one object, of a list one for each image. */
async function describe(reader: ImageReader, root: Manifest, name: string): Promise<unknown> {
  const repository = fullRepository(parseReference(name));
  const one = (manifest: Manifest, platform?: unknown) => {
    const { mediaType, digest, bytes } = manifest;
    return {
      Ref: `${repository}@${digest}`,
      Descriptor: { mediaType, digest, size: bytes.length, ...(platform == null ? {} : { platform }) },
      Raw: bytes.toString("base64"),
      [mediaType === DOCKER_MANIFEST ? "SchemaV2Manifest" : "OCIManifest"]: parse(manifest),
    };
  };
  if (!isIndex(root.mediaType)) return one(root);
  const index = parseDocument("index", root.bytes, `index of ${reader.name}`);
  return Array.fromAsync(index.manifests, async (descriptor) =>
    one(await reader.readManifest(descriptor), descriptor.platform),
  );
}
