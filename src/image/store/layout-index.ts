/*
 * index.json and oci-layout: by them other tools read the store as an OCI image layout (`skopeo inspect oci:DIR:NAME`).
 * They are derived from the database, and written anew after each change of it, by one process at a time.
 *
 * An entry names the manifest of an image, also where a whole index was pulled under that name: of such an index the
 * store has one platform only, and a layout must have all that it names.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { INDEX_MEDIA_TYPE, TAG_ANNOTATION } from "../manifest-choice.ts";
import type { StoredImage, StoredList } from "./stored-image.ts";

/** The digests under which registries know an image, with their repositories and spaces between them. */
export const REPOSITORY_DIGESTS_ANNOTATION = "bunker.repository-digests";

/**
 * Writes the two files. Has to be called inside of a transaction, which nobody else is in then.
 * @param store the store's directory
 * @throws what node:fs throws
 */
export function writeLayoutIndex(store: string, images: readonly StoredImage[], lists: readonly StoredList[]): void {
  const layout = `${store}/oci-layout`;
  if (statSync(layout, { throwIfNoEntry: false }) === undefined) {
    replaceFile(layout, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  }
  const entries = images.flatMap((image) => {
    const { mediaType, digest, size } = image.manifest;
    const { os, architecture, variant } = image.platform;
    const digests = image.repositoryDigests.join(" ");
    const entry = (name: string | undefined) => ({
      mediaType,
      digest,
      size,
      platform: { architecture, os, variant },
      annotations: {
        ...(name === undefined ? {} : { [TAG_ANNOTATION]: name }),
        ...(digests === "" ? {} : { [REPOSITORY_DIGESTS_ANNOTATION]: digests }),
      },
    });
    return image.names.length === 0 ? [entry(undefined)] : image.names.map(entry);
  });
  const ofLists = lists.map(({ name, target }) => ({ ...target, annotations: { [TAG_ANNOTATION]: name } }));
  const index = { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [...entries, ...ofLists] };
  replaceFile(`${store}/index.json`, JSON.stringify(index));
}

/**
 * Writes a file aside and renames it, so that it is always there, and whole. What somebody killed has left aside is
 * written over.
 */
function replaceFile(path: string, text: string): void {
  const aside = `${path}.new`;
  try {
    const file = openSync(aside, "w", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    if (!isNoSpace(error) || !shrinkInPlace(path, text)) throw error;
  }
}

/**
 * On a full disk, where somebody removes images to make space, a text that is no longer than the one before takes its
 * place without any. If that is interrupted, the next one who opens the store writes the file anew.
 * @returns whether there was a text as long
 */
function shrinkInPlace(path: string, text: string): boolean {
  const length = Buffer.byteLength(text);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < length) return false;
  const file = openSync(path, "r+");
  try {
    writeSync(file, text, 0);
    ftruncateSync(file, length);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return true;
}

function isNoSpace(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === Errno.ENOSPC || errno === Errno.EDQUOT;
}
