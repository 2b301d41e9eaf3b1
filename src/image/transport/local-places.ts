/** Opening images on disk, whatever their form. */
import { resolve } from "node:path";
import { BunkerError } from "../../sys/error.ts";
import { readArchiveMembers } from "../archive-members.ts";
import { archiveFiles, directoryFiles } from "../layout-files.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { newImageName } from "../new-name.ts";
import type { Platform } from "../platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { openArchiveSink } from "./archive-sink.ts";
import { openFileOutput } from "./byte-output.ts";
import { openDirectorySink } from "./directory-sink.ts";
import { openDockerArchiveReader } from "./docker-archive-reader.ts";
import { formatLocalPlace, type LocalPlace } from "./image-place.ts";
import { FULL_NAME_ANNOTATION, type LayoutOutput, type OutputNames, openLayoutOutput } from "./layout-output.ts";
import { openLayoutReader } from "./layout-reader.ts";
import { openPlainDirectoryReader, openPlainDirectoryWriter } from "./plain-directory.ts";
import { sourceDateEpoch } from "./source-date-epoch.ts";
import type { ImageReader, ImageWriter } from "./transport.ts";

/**
 * Opens an image on disk for reading.
 * @param platform which one, where a name stands for several; this machine's unless given
 * @param shown the place that messages name; it may have been copied from there
 * @throws BunkerError `image_not_found`, `image_ambiguous`, `platform_mismatch`, `image_invalid`, `image_unreadable`,
 *   `digest_mismatch`, `archive_invalid`, `archive_compressed`
 */
export async function openLocalReader(
  place: LocalPlace,
  platform: Platform | undefined,
  shown: LocalPlace = place,
): Promise<ImageReader> {
  const name = formatLocalPlace(shown);
  const path = resolve(place.path);
  if (place.kind === "dir") return openPlainDirectoryReader(path, name);
  if (place.kind === "oci") return openLayoutReader(directoryFiles(path, name), place.tag, platform, name);
  const files = archiveFiles(readArchiveMembers(path, name), name);
  return place.kind === "oci-archive"
    ? openLayoutReader(files, place.tag, platform, name)
    : openDockerArchiveReader(files, place.tag, platform, name);
}

/**
 * Opens a place on disk for one image, which takes the place of one of the same name; an archive is replaced whole.
 * @param signal as `openFileOutput`
 * @throws BunkerError `write_failed`, `no_space`, `not_a_layout`, `not_an_image_directory`, `invalid_reference`,
 *   `invalid_image_name`
 */
export async function openLocalWriter(place: LocalPlace, signal?: AbortSignal): Promise<ImageWriter> {
  const name = formatLocalPlace(place);
  if (place.kind === "dir") return openPlainDirectoryWriter(place.path, name);
  const names = place.kind === "docker-archive" ? dockerNames(place.tag) : layoutNames(place.tag, name);
  const sink =
    place.kind === "oci"
      ? openDirectorySink(place.path)
      : openArchiveSink(await openFileOutput(place.path, signal), sourceDateEpoch() ?? 0);
  return onlyImage(openLayoutOutput(sink, place.kind === "docker-archive" ? "docker" : "oci"), name, names);
}

/** The writer of an output's one image: its commit is the output's. */
function onlyImage(output: LayoutOutput, name: string, names: OutputNames): ImageWriter {
  const writer = output.writer(name, names);
  return {
    ...writer,
    commit: async () => {
      await writer.commit();
      await output.commit();
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

/** A layout's image is called as the user says. */
function layoutNames(tag: string | undefined, name: string): OutputNames {
  if (tag !== undefined && /^@[0-9]+$/.test(tag)) {
    throw new BunkerError({
      code: "invalid_image_name",
      operation: "write an image to",
      object: name,
      reason: `${tag} means the image at a place of the index and cannot be one's name`,
    });
  }
  return { annotations: tag === undefined ? [] : [{ [TAG_ANNOTATION]: tag }], repositoryTags: [] };
}

/** An archive of Docker's has full names, of which the tag is what its layout calls the image. */
function dockerNames(text: string | undefined): OutputNames {
  return text === undefined ? { annotations: [], repositoryTags: [] } : dockerArchiveNames([newImageName(text)]);
}

/**
 * What images are called in an archive of Docker's.
 * @param texts names, short or full
 * @throws BunkerError `invalid_reference`
 */
export function dockerArchiveNames(texts: readonly string[]): OutputNames {
  const references = texts.map((text) => withDefaultTag(parseReference(text)));
  return {
    annotations: references.map((reference) => ({
      [FULL_NAME_ANNOTATION]: formatReference(reference),
      [TAG_ANNOTATION]: reference.tag ?? formatReference(reference),
    })),
    // In full, because Podman takes a short name for one of this machine's; Docker shortens them itself.
    repositoryTags: references.map(formatReference),
  };
}
