/*
 * Lists in the store: a name whose target is an index. The manifests of its images are there too; what they name need
 * not be, if it can be had from the registry that the image was found in, which is remembered for each.
 */
import { BunkerError } from "../../sys/error.ts";
import { type Digest, digestOf } from "../digest.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { BlobStaging } from "../store/blob-staging.ts";
import type { ImageStore } from "../store/image-store.ts";
import type { StoredList } from "../store/stored-image.ts";
import type { Manifest } from "../transport/transport.ts";
import { type ManifestList, parseManifestList, serialiseManifestList } from "./manifest-list.ts";

/** A list with its name. */
export interface NamedList {
  /** In full, with a tag. */
  readonly name: string;
  readonly list: ManifestList;
}

/** The full name that a user's name of a list means. */
export function listName(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

/**
 * Finds a list.
 * @param text its name as the user wrote it
 * @throws BunkerError `invalid_reference`, `image_invalid`
 */
export function findListIfThere(store: ImageStore, text: string): NamedList | undefined {
  const name = listName(text);
  const found = store.lists().find((list) => list.name === name);
  if (found === undefined) return undefined;
  return { name, list: parseManifestList(store.readDocument(found.target.digest), text) };
}

/**
 * The same.
 * @param hint what can be done about it when there is none
 * @throws BunkerError `manifest_list_not_found`, and as `findListIfThere`
 */
export function findList(store: ImageStore, text: string, hint?: string): NamedList {
  const found = findListIfThere(store, text);
  if (found !== undefined) return found;
  const isImage = store.target(listName(text)) !== undefined;
  throw new BunkerError({
    code: "manifest_list_not_found",
    operation: "find the list",
    object: text,
    reason: isImage ? "it is the name of an image" : "no such list",
    hint: isImage ? undefined : hint,
  });
}

/** A manifest that came into a list, and where the rest of that image is. */
export interface Arrival {
  readonly manifest: Manifest;
  /** The full name of a repository; undefined when all of the image is in the store. */
  readonly repository: string | undefined;
}

/**
 * Stores a list under its name, which it takes from whatever had it.
 * @param name full, with a tag
 * @param make gives the list that is to be stored, of the one that is there; it is asked again when somebody else has
 *   changed that one meanwhile, so that nothing of his gets lost
 * @param arrivals manifests of it that the store may not have yet
 * @returns the digest of the list
 * @throws BunkerError `store_read_only`, `no_space`, and what `make` throws
 */
export function saveList(
  store: ImageStore,
  name: string,
  make: () => ManifestList,
  arrivals: readonly Arrival[],
): Digest {
  using staging = new BlobStaging(store.directory);
  return publishList(store, staging, name, make, arrivals);
}

/**
 * The same, with other blobs.
 * @param staging has what the store is to have besides the list and the arrivals' manifests
 */
export function publishList(
  store: ImageStore,
  staging: BlobStaging,
  name: string,
  make: () => ManifestList,
  arrivals: readonly Arrival[],
): Digest {
  for (;;) {
    const before = store.target(name);
    const list = make();
    const bytes = serialiseManifestList(list);
    const digest = digestOf(bytes);
    for (const blob of [{ digest, bytes }, ...arrivals.map(({ manifest }) => manifest)]) {
      staging.put(blob, blob.bytes);
    }
    using _ = store.rely();
    staging.publish();
    const isSaved = store.change((state) => {
      if (store.target(name)?.digest !== before?.digest) return false;
      const values = [name, digest, list.mediaType, bytes.length];
      state.run("INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?, NULL)", ...values);
      for (const { manifest, repository } of arrivals) {
        if (repository === undefined) continue;
        state.run("INSERT OR REPLACE INTO list_origin VALUES (?, ?, ?)", name, manifest.digest, repository);
      }
      return true;
    });
    if (isSaved) return digest;
  }
}

/**
 * Gives a list one more name; what had it loses it.
 * @param name full, with a tag
 * @throws BunkerError `store_read_only`
 */
export function tagList(store: ImageStore, list: StoredList, name: string): void {
  if (name === list.name) return;
  store.change((state) => {
    const { digest, mediaType, size } = list.target;
    state.run("INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?, NULL)", ...[name, digest, mediaType, size]);
    state.run(
      "INSERT OR REPLACE INTO list_origin SELECT ?, manifest, repository FROM list_origin WHERE list = ?",
      ...[name, list.name],
    );
  });
}

/** The full name of the repository that the rest of a list's image is in; undefined when it came from the store. */
export function originOf(store: ImageStore, name: string, manifest: Digest): string | undefined {
  const row = store.state.get<{ repository: string }>(
    "SELECT repository FROM list_origin WHERE list = ? AND manifest = ?",
    ...[name, manifest],
  );
  return row?.repository;
}
