/*
 * Stores of others, in which images are only looked up: for instance one that an administrator keeps for all users of a
 * machine. Any OCI image layout will do, made by Bunker or not, since only the layout is read: another user's database
 * may be in use, and cannot be opened without writing. Layers that are unpacked there are used as they lie.
 *
 * They are named by `$BUNKER_ADDITIONAL_STORES`, with colons between them as in $PATH, the first having precedence.
 */
import { statSync } from "node:fs";
import { BunkerError } from "../../sys/error.ts";
import { identifyLayers } from "../chain-id.ts";
import { type Digest, splitDigest } from "../digest.ts";
import { type Descriptor, parseDocument } from "../documents.ts";
import { directoryFiles, readBlob } from "../layout-files.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { REPOSITORY_DIGESTS_ANNOTATION } from "./layout-index.ts";
import type { StoredImage } from "./stored-image.ts";

/**
 * The directories of the additional stores.
 * @throws BunkerError `invalid_store` for a path that is not absolute, or where no image layout is
 */
export function additionalStoreDirectories(): string[] {
  const { BUNKER_ADDITIONAL_STORES = "" } = process.env;
  const directories = BUNKER_ADDITIONAL_STORES.split(":").filter((directory) => directory !== "");
  for (const directory of directories) {
    const isLayout = statSync(`${directory}/index.json`, { throwIfNoEntry: false }) !== undefined;
    if (directory.startsWith("/") && isLayout) continue;
    throw new BunkerError({
      code: "invalid_store",
      operation: "use the additional store",
      object: directory,
      reason: directory.startsWith("/") ? "there is no index.json" : "its path is not absolute",
      hint: "BUNKER_ADDITIONAL_STORES names directories with OCI image layouts, with colons between them.",
    });
  }
  return directories;
}

/**
 * Reads the images of an additional store. An index in it stands for nothing here: a store names manifests.
 * @throws BunkerError `image_invalid`, `image_unreadable`, `digest_mismatch`
 */
export function readAdditionalStore(directory: string): StoredImage[] {
  const files = directoryFiles(directory, directory);
  const index = parseDocument("index", files.read("index.json"), `index.json of ${directory}`);
  const images = new Map<Digest, StoredImage>();
  for (const descriptor of index.manifests) {
    const known = images.get(descriptor.digest);
    const { names, repositoryDigests } = namesOf(descriptor);
    const image = known ?? readImage(directory, descriptor);
    if (image === undefined) continue;
    images.set(descriptor.digest, {
      ...image,
      names: [...new Set([...image.names, ...names])].sort(),
      repositoryDigests: [...new Set([...image.repositoryDigests, ...repositoryDigests])].sort(),
    });
  }
  return [...images.values()];
}

function namesOf({ annotations }: Descriptor) {
  const name = annotations[TAG_ANNOTATION];
  return {
    names: name === undefined ? [] : [name],
    repositoryDigests: (annotations[REPOSITORY_DIGESTS_ANNOTATION] ?? "").split(" ").filter((text) => text !== ""),
  };
}

function readImage(directory: string, { mediaType, digest, size }: Descriptor): StoredImage | undefined {
  if (!mediaType.includes("manifest.v")) return undefined;
  const files = directoryFiles(directory, directory);
  const manifest = parseDocument("manifest", readBlob(files, { digest, size }, "manifest"), `manifest ${digest}`);
  const { config } = manifest;
  const configuration = parseDocument("imageConfiguration", readBlob(files, config, "configuration"), config.digest);
  const created = Date.parse(configuration.created ?? "");
  return {
    id: config.digest,
    manifest: { mediaType, digest, size },
    configuration: config,
    names: [],
    repositoryDigests: [],
    platform: configuration.platform,
    created: Number.isNaN(created) ? undefined : created,
    added: statSync(`${directory}/blobs/${splitDigest(digest).algorithm}/${splitDigest(digest).hex}`).mtimeMs,
    labels: configuration.labels,
    layers: identifyLayers(configuration.diffIds).flatMap((identity, position) => {
      const layer = manifest.layers[position];
      return layer === undefined ? [] : [{ ...identity, ...layer }];
    }),
    store: directory,
    isReadOnly: true,
  };
}
