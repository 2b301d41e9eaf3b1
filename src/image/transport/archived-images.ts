/*
 * The images that an archive or a directory holds, with their names, for `load`.
 *
 * Where it is an OCI image layout, its index says what there is, also in archives of Docker's, whose manifest.json says
 * the same with less. An image's full name is in containerd's annotation, or in the OCI one where that is a full name
 * (Podman's way) and not just a tag.
 */

import { BunkerError } from "../../sys/error.ts";
import type { Digest } from "../digest.ts";
import { openDockerImage, readDockerManifest } from "../docker-archive.ts";
import { type Descriptor, invalidDocument } from "../documents.ts";
import { readLayoutIndex } from "../image-layout.ts";
import type { LayoutFiles } from "../layout-files.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { dockerImageReader } from "./docker-archive-reader.ts";
import { FULL_NAME_ANNOTATION } from "./layout-output.ts";
import { layoutReader } from "./layout-reader.ts";
import type { ImageReader } from "./transport.ts";

/** An image, and what it is called there. */
export interface ArchivedImage {
  /** Full names, with tags. */
  readonly names: readonly string[];
  readonly reader: ImageReader;
}

/**
 * Finds the images.
 * @param name of the archive or directory, for messages
 * @throws BunkerError `image_invalid`, `digest_mismatch`, `invalid_reference`
 */
export async function archivedImages(files: LayoutFiles, name: string): Promise<ArchivedImage[]> {
  const hasLayout = files.has("oci-layout") && files.has("index.json");
  const images = hasLayout ? imagesOfLayout(files, name) : [];
  if (images.length > 0) return images;
  if (files.has("manifest.json")) return imagesOfDocker(files, name);
  if (hasLayout) throw invalidDocument(name, "its index is empty");
  const isOld = files.has("repositories");
  throw new BunkerError({
    code: "image_invalid",
    operation: "read",
    object: name,
    reason: isOld
      ? "it is an archive of a Docker before 1.10, without a manifest.json"
      : "it has neither an image index nor a manifest.json",
    hint: isOld
      ? "A Docker that still loads it can save it anew."
      : "If it is the archive of a root file system, bunker import makes an image of it.",
  });
}

/**
 * What an archive of Docker's calls an image.
 * @param configuration the image's
 * @param name of the archive, for messages
 * @returns full names, with tags
 * @throws BunkerError as `archivedImages`
 */
export function dockerNamesOf(files: LayoutFiles, configuration: Digest, name: string): readonly string[] {
  return readDockerManifest(files, name)
    .filter((entry) => openDockerImage(files, entry, name).configurationDigest === configuration)
    .flatMap(({ RepoTags }) => fullNames(RepoTags));
}

function imagesOfLayout(files: LayoutFiles, name: string): ArchivedImage[] {
  const byDigest = Map.groupBy(readLayoutIndex(files, name).manifests.filter(isImage), ({ digest }) => digest);
  return [...byDigest.values()].flatMap((entries) => {
    const [root] = entries;
    if (root === undefined) return [];
    const names = entries.flatMap(({ annotations }) => nameIn(annotations));
    return [{ names: [...new Set(names)], reader: layoutReader(files, root, name) }];
  });
}

/** Build tools put attestations beside images. */
function isImage({ annotations }: Descriptor): boolean {
  return annotations["vnd.docker.reference.type"] === undefined;
}

function nameIn(annotations: Readonly<Record<string, string>>): string[] {
  const own = annotations[TAG_ANNOTATION] ?? "";
  const text = annotations[FULL_NAME_ANNOTATION] ?? (/[:/]/.test(own) ? own : undefined);
  return text === undefined ? [] : fullNames([text]);
}

/** Names with a digest are none that an image can get. */
function fullNames(texts: readonly string[]): string[] {
  const references = texts.map(parseReference).filter(({ digest }) => digest === undefined);
  return references.map((reference) => formatReference(withDefaultTag(reference)));
}

async function imagesOfDocker(files: LayoutFiles, name: string): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const entry of readDockerManifest(files, name)) {
    const reader = await dockerImageReader(files, openDockerImage(files, entry, name), name);
    images.push({ names: fullNames(entry.RepoTags), reader });
  }
  return images;
}
