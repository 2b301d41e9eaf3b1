/*
 * `docker rmi`: what it removes for which way of naming an image, and what it refuses.
 *
 * A name is taken away; an image goes with its last name, unless it is part of an index that has one, or by its id with
 * all of them. Containers hold it: one that stands still only until it is forced, one that runs always. With the last
 * name of an index all of its images go that are here for its sake alone. The blobs and layers of what is gone are
 * garbage then, and removed as such.
 */

import { BunkerError } from "../../sys/error.ts";
import { type Digest, splitDigest } from "../digest.ts";
import { formatReference, parseReference, withDefaultTag } from "../reference.ts";
import { collectGarbage, type StoreUsers } from "./collect-garbage.ts";
import { deleteNames } from "./delete-names.ts";
import { familiarName, type ImageStore } from "./image-store.ts";
import { imagesOfIndexes } from "./index-images.ts";
import type { StoredImage } from "./stored-image.ts";

/** A container that was made from an image. */
export interface ImageUser {
  readonly id: string;
  readonly isRunning: boolean;
}

/** Who uses images. */
export interface ImageUsers extends StoreUsers {
  readonly usersOf: (image: StoredImage) => readonly ImageUser[];
}

/** What `removeImage` did. */
export interface Removal {
  /** Names, with tags or digests, as users write them. */
  readonly untagged: readonly string[];
  /** The ids of the image and of its layers; empty when only names were taken away. */
  readonly deleted: readonly Digest[];
}

/**
 * Takes a name away or removes an image.
 * @param text as `ImageStore.find`
 * @param force also when containers that stand still use it
 * @param takesAllNames whether an id stands for the image also when it has names in several repositories
 * @throws BunkerError `image_not_found`, `image_ambiguous`, `image_in_use`, `image_has_names`, `store_read_only`
 */
export function removeImage(
  store: ImageStore,
  text: string,
  force: boolean,
  users: ImageUsers,
  takesAllNames = force,
): Removal {
  const list = store.listOf(text);
  if (list !== undefined) {
    store.untag(list.name);
    collectGarbage(store, users);
    return { untagged: [familiarName(list.name)], deleted: [] };
  }
  const image = store.find(text);
  if (image.isReadOnly) {
    throw new BunkerError({
      code: "store_read_only",
      operation: "remove the image",
      object: text,
      reason: `it lies in ${image.store}, which is only read`,
    });
  }
  const known = [...image.names, ...image.repositoryDigests];
  const named = nameMeant(text, known);
  const gone = named === undefined ? known : removedWith(named, image);
  const isLast = gone.length === known.length;
  const { digest } = image.manifest;
  const before = imagesOfIndexes(store);
  const check = () => {
    if (isLast) checkUsers(image, text, named !== undefined, force, users);
    if (named === undefined && !takesAllNames) checkNames(image);
  };
  const outcome = store.changeAlone(check, (state) => {
    const [present] = store.own([digest]);
    if (present === undefined || !isCalled(present, known)) return "other names";
    deleteNames(state, digest, gone);
    // What is part of an index that has a name stays with it.
    if (!isLast || (named !== undefined && imagesOfIndexes(store).has(digest))) return "kept";
    state.run("DELETE FROM image WHERE manifest = ?", digest);
    return "gone";
  });
  // Somebody has given it a name meanwhile, or taken one away: what goes and what may go is another question then.
  if (outcome === "other names") return removeImage(store, text, force, users, takesAllNames);
  const isGone = outcome === "gone";
  const untagged = gone.map(familiarName);
  const others = removeOthers(store, before, users);
  if (!isGone && others.length === 0) return { untagged, deleted: [] };
  const left = new Set(collectGarbage(store, users).layers);
  const deleted = [...(isGone ? [image] : []), ...others].flatMap(({ id, layers }) => {
    // A layer that several had is said to be gone once; the uppermost first, as they lie on each other.
    const own = layers.map(({ chainId }) => chainId).filter((chainId) => left.delete(chainId));
    return [id, ...own.reverse()];
  });
  return { untagged, deleted };
}

function isCalled({ names, repositoryDigests }: StoredImage, known: readonly string[]): boolean {
  return new Set([...names, ...repositoryDigests]).symmetricDifference(new Set(known)).size === 0;
}

/** Removes what was here as part of an index that has lost its name. */
function removeOthers(store: ImageStore, before: ReadonlySet<Digest>, users: ImageUsers): StoredImage[] {
  if (before.size === 0) return [];
  if (before.difference(imagesOfIndexes(store)).size === 0) return [];
  const unused = () =>
    store
      .own([...before.difference(imagesOfIndexes(store))])
      .filter((image) => image.repositoryDigests.length === 0 && users.usersOf(image).length === 0);
  return store.changeAlone(unused, (state, others) => {
    for (const { manifest } of others) state.run("DELETE FROM image WHERE manifest = ?", manifest.digest);
    return others;
  });
}

/** The full name, among the image's, that a text means; undefined when it is an id. */
function nameMeant(text: string, known: readonly string[]): string | undefined {
  if (/^sha256:|^[0-9a-f]{64}$/.test(text)) return undefined;
  const reference = withDefaultTag(parseReference(text));
  const full = formatReference(reference.digest === undefined ? reference : { ...reference, tag: undefined });
  return known.includes(full) ? full : undefined;
}

/** What goes with a name: with the last tag of a repository also its digests. */
function removedWith(name: string, { names, repositoryDigests }: StoredImage): string[] {
  if (name.includes("@")) return [name];
  const repository = name.slice(0, name.lastIndexOf(":"));
  const hasOthers = names.some((other) => other !== name && other.slice(0, other.lastIndexOf(":")) === repository);
  return [name, ...(hasOthers ? [] : repositoryDigests.filter((digest) => digest.startsWith(`${repository}@`)))];
}

function checkUsers(image: StoredImage, text: string, byName: boolean, force: boolean, users: ImageUsers): void {
  const found = users.usersOf(image);
  const running = found.find(({ isRunning }) => isRunning);
  const user = running ?? found[0];
  if (user === undefined || (force && running === undefined)) return;
  const container = user.id.slice(0, 12);
  const short = splitDigest(image.id).hex.slice(0, 12);
  const can = running === undefined ? "must be forced" : "cannot be forced";
  const reason =
    byName && running === undefined
      ? `conflict: unable to remove repository reference ${JSON.stringify(text)} (must force) - container ${container} is using its referenced image ${short}`
      : `conflict: unable to delete ${short} (${can}) - image is being used by ${running === undefined ? "stopped" : "running"} container ${container}`;
  throw new BunkerError({
    code: "image_in_use",
    operation: "remove the image",
    object: text,
    reason,
    hint:
      running === undefined
        ? `Remove the container first: bunker rm ${container}.`
        : `Stop it: bunker stop ${container}.`,
  });
}

function checkNames({ id, names, repositoryDigests }: StoredImage): void {
  const all = names.length > 0 ? names : repositoryDigests;
  const repositories = new Set(all.map((name) => name.replace(/(?:@.*|:[^/:]*)$/, "")));
  if (repositories.size <= 1) return;
  const short = splitDigest(id).hex.slice(0, 12);
  throw new BunkerError({
    code: "image_has_names",
    operation: "remove the image",
    object: short,
    reason: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
    hint: `Remove its names one by one (${names.map(familiarName).join(", ")}), or force it with -f.`,
  });
}
