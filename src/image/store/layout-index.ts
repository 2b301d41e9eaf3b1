/*
 * index.json and oci-layout: by them other tools read the store as an OCI image layout (`skopeo inspect oci:DIR:NAME`).
 * They are derived from the database, and written anew after each change of it, by one process at a time.
 *
 * An entry names the manifest of an image, also where a whole index was pulled under that name: of such an index the
 * store has one platform only, and a layout must have all that it names.
 */

import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { setSize, synchronize, unlinkAt } from "../../sys/file.ts";
import { exists, openFile, renameFile, statusIfThere, writeOpenText } from "../../sys/named-file.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { check } from "../../sys/system-call.ts";
import { TAG_ANNOTATION } from "../manifest-choice.ts";
import { INDEX_MEDIA_TYPE } from "../media-types.ts";
import type { StoredImage, StoredList } from "./stored-image.ts";

/** The digests under which registries know an image, with their repositories and spaces between them. */
export const REPOSITORY_DIGESTS_ANNOTATION = "bunker.repository-digests";

/**
 * Writes the two files. Has to be called inside of a transaction, which nobody else is in then.
 * @param store the store's directory
 * @throws BunkerError `system_call_failed`
 */
export function writeLayoutIndex(store: string, images: readonly StoredImage[], lists: readonly StoredList[]): void {
  const layout = `${store}/oci-layout`;
  if (!exists(layout)) replaceFile(layout, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
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
    {
      using file = openFile(aside, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_TRUNC, 0o600);
      writeOpenText(file.number, aside, text);
      check(synchronize(file.number), "write", aside);
    }
    renameFile(aside, path);
  } catch (error) {
    unlinkAt(AT_FDCWD, encodeText(aside));
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
  if ((statusIfThere(path)?.size ?? 0) < length) return false;
  using file = openFile(path, OpenFlag.O_WRONLY);
  writeOpenText(file.number, path, text);
  check(setSize(file.number, length), "write", path);
  check(synchronize(file.number), "write", path);
  return true;
}

function isNoSpace(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === Errno.ENOSPC || errno === Errno.EDQUOT;
}
