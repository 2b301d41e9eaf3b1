/*
 * Stores of others, in which images are only looked up: for instance one that an administrator keeps for all users of a
 * machine. Any OCI image layout will do, made by Bunker or not, since only the layout is read: another user's database
 * may be in use, and cannot be opened without writing. Layers that are unpacked there are used as they lie.
 *
 * They are named by `$BUNKER_ADDITIONAL_STORES`, with colons between them as in $PATH, or else by the lines of two files,
 * the user's and the administrator's. The first has precedence. What containers' storage.conf calls additional image
 * stores are directories of another kind, which only containers/storage can read.
 */
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { statusThroughLinks } from "../../sys/file.ts";
import { readText, statusIfThere } from "../../sys/named-file.ts";
import { AT_FDCWD } from "../../sys/open.ts";
import type { Digest } from "../digest.ts";
import { type Descriptor, parseDocument } from "../documents.ts";
import { identifyDescriptors } from "../image-layout.ts";
import { blobPath, directoryFiles, readBlob } from "../layout-files.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { isConfiguration, isLayer, isManifest } from "../media-types.ts";
import { formatReference, parseReference, type Reference } from "../reference.ts";
import { REPOSITORY_DIGESTS_ANNOTATION } from "./layout-index.ts";
import type { StoredImage } from "./stored-image.ts";

const VARIABLE = "BUNKER_ADDITIONAL_STORES";
const ADMINISTRATORS_FILE = "/etc/bunker/image-stores";

/**
 * The directories of the additional stores.
 * @throws BunkerError `invalid_store` for a path that is not absolute, or where no image layout is; `configuration_unreadable`
 */
export function additionalStoreDirectories(): string[] {
  const variable = process.env[VARIABLE];
  if (variable !== undefined) return checkStores(variable.split(":"), VARIABLE);
  const directories: string[] = [];
  for (const path of [...usersFiles(), ADMINISTRATORS_FILE]) directories.push(...checkStores(linesOf(path), path));
  return directories;
}

/** The user's file; none where nobody says where his files are. */
function usersFiles(): string[] {
  const { XDG_CONFIG_HOME = "", HOME = "" } = process.env;
  const directory = XDG_CONFIG_HOME || (HOME === "" ? "" : `${HOME}/.config`);
  return directory === "" ? [] : [`${directory}/bunker/image-stores`];
}

/** The lines of a file but for comments; none when it is not there. */
function linesOf(path: string): string[] {
  let text: string;
  try {
    // It is there on few machines, and an error that nobody sees takes longer to make than this.
    if (statusIfThere(path) === undefined) return [];
    text = readText(path);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return [];
    throw new BunkerError({ code: "configuration_unreadable", operation: "read", object: path, errno }, { cause });
  }
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !line.startsWith("#"));
}

/** @param origin where they are named */
function checkStores(paths: readonly string[], origin: string): string[] {
  const directories = paths.filter((path) => path !== "");
  for (const directory of directories) {
    const isAbsolute = directory.startsWith("/");
    const errno = isAbsolute ? failureToFind(`${directory}/index.json`) : undefined;
    if (isAbsolute && errno === undefined) continue;
    const form = origin === VARIABLE ? "with colons between them" : "one a line";
    throw new BunkerError({
      code: "invalid_store",
      operation: "use the additional store",
      object: directory,
      reason: isAbsolute ? "its index.json cannot be found" : "its path is not absolute",
      errno,
      hint: `${origin} names directories with OCI image layouts, ${form}.`,
    });
  }
  return directories;
}

/** The errno of looking for a file; undefined when it is there. */
function failureToFind(path: string): number | undefined {
  const status = statusThroughLinks(AT_FDCWD, encodeText(path));
  return typeof status === "number" ? -status : undefined;
}

/**
 * Reads the images of an additional store. An index in it stands for nothing here, since a store names manifests; nor do
 * signatures and other artifacts.
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

/** The names that are written in full; others (a tag alone, a sentence) are none by which an image is found here. */
function namesOf({ annotations }: Descriptor) {
  const name = annotations[TAG_ANNOTATION] ?? "";
  const repositoryDigests = (annotations[REPOSITORY_DIGESTS_ANNOTATION] ?? "").split(" ");
  return {
    names: fullReference(name)?.tag === undefined ? [] : [name],
    repositoryDigests: repositoryDigests.filter((text) => fullReference(text)?.digest !== undefined),
  };
}

function fullReference(text: string): Reference | undefined {
  try {
    const reference = parseReference(text);
    return formatReference(reference) === text ? reference : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for what is no image, and for what its owner removes meanwhile */
function readImage(directory: string, { mediaType, digest, size }: Descriptor): StoredImage | undefined {
  if (!isManifest(mediaType)) return undefined;
  const files = directoryFiles(directory, directory);
  if (!files.has(blobPath(digest))) return undefined;
  const manifest = parseDocument("manifest", readBlob(files, { digest, size }, "manifest"), `manifest ${digest}`);
  const { config, layers } = manifest;
  if (!isConfiguration(config.mediaType) || !layers.every(isLayer) || !files.has(blobPath(config.digest))) {
    return undefined;
  }
  const configuration = parseDocument("imageConfiguration", readBlob(files, config, "configuration"), config.digest);
  // Build tools put attestations beside images in the form of images.
  if (configuration.platform.os === "unknown") return undefined;
  const created = Date.parse(configuration.created ?? "");
  const added = modificationTime(`${directory}/${blobPath(digest)}`);
  return {
    id: config.digest,
    manifest: { mediaType, digest, size },
    configuration: config,
    names: [],
    repositoryDigests: [],
    platform: configuration.platform,
    created: Number.isNaN(created) ? undefined : created,
    added,
    tagged: added,
    labels: configuration.labels,
    layers: identifyDescriptors(layers, configuration.diffIds, `manifest ${digest} in ${directory}`),
    store: directory,
    isReadOnly: true,
  };
}

/** Milliseconds since 1970, of a file that has just been read. */
function modificationTime(path: string): number {
  const { seconds, nanoseconds } = statusIfThere(path)?.modified ?? { seconds: 0, nanoseconds: 0 };
  return seconds * 1000 + nanoseconds / 1e6;
}
