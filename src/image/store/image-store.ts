/*
 * The images that are here. `<data>` is an OCI image layout with more in it:
 *
 *   oci-layout, index.json     derived from the database, for other tools; made up for by the next one who opens the
 *                              store, when somebody was killed in between
 *   blobs/sha256/<hex>         manifests, configurations and packed layers, as they came
 *   layers/<chain id>/diff/    unpacked layers; a cache: what is missing is unpacked when it is needed
 *   partial/                   blobs on their way, kept when the way is interrupted; see blob-staging.ts
 *   state.db                   which images exist and what their names are; see image-tables.ts
 *   lock, images.lock
 *
 * An image exists from the moment its rows are committed, which is after everything that belongs to it is on the disk.
 * Its names are compared in full (`docker.io/library/debian:12`).
 *
 * `images.lock` is about removing: whoever relies on what the store says it has holds it shared (a container from the
 * moment its image is looked up until it is recorded; a writer while it commits), each for milliseconds; whoever
 * removes files, or asks who uses an image to remove it when it is nobody, holds it exclusively. So nothing is removed
 * under somebody who has just found it; who reads for longer has opened meanwhile what he reads (store-reader.ts).
 *
 * Other stores, which are only read, are looked up after the own one; see additional-stores.ts.
 */
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { statusIfThere } from "../../sys/named-file.ts";
import { FileMode, isType } from "../../sys/stat.ts";
import { readDocument, verifyDigest } from "../blob.ts";
import { identifyLayers } from "../chain-id.ts";
import { type Digest, splitDigest } from "../digest.ts";
import { type ImageConfiguration, parseDocument } from "../documents.ts";
import type { Image } from "../image.ts";
import { blobPath } from "../layout-files.ts";
import { formatPlatform, hostPlatform, type Platform, platformRank } from "../platform.ts";
import {
  familiarReference,
  formatReference,
  fullRepository,
  parseReference,
  type Reference,
  withDefaultTag,
} from "../reference.ts";
import { additionalStoreDirectories, readAdditionalStore } from "./additional-stores.ts";
import { type NameRow, readImages, targetOf } from "./image-records.ts";
import { imageTables } from "./image-tables.ts";
import { excludeOthersFromImages, relyOnImages } from "./images-lock.ts";
import { manifestsOf } from "./index-members.ts";
import { writeLayoutIndex } from "./layout-index.ts";
import type { BlobDescriptor, StoredImage, StoredList } from "./stored-image.ts";

/** The hexadecimal digits of a whole id. */
const ID_LENGTH = 64;

/** An image to be added, all of whose blobs are in the store. */
export interface NewImage {
  readonly manifest: BlobDescriptor;
  /** What a name stands for: the manifest, or the index that it was chosen from. */
  readonly target: BlobDescriptor;
  /** Full names with tags. */
  readonly names: readonly string[];
  /** Full names of repositories that have the target. */
  readonly repositories: readonly string[];
}

/** An open store. What it throws besides what is said at each method: as `openStateDatabase`. */
export class ImageStore implements Disposable {
  /** The data directory. */
  readonly directory: string;
  readonly state: StateDatabase;
  readonly #additional: readonly string[];
  #othersImages: readonly StoredImage[] | undefined;

  /** @param directory,additional as `openImageStore` */
  constructor(directory: string, state: StateDatabase, additional: readonly string[]) {
    this.directory = directory;
    this.state = state;
    this.#additional = additional;
  }

  [Symbol.dispose](): void {
    this.state[Symbol.dispose]();
  }

  /** All images, of other stores too, the latest created first; a name that two stores have is the first store's. */
  list(): StoredImage[] {
    const own = this.own();
    const known = new Set(own.map(({ manifest }) => manifest.digest));
    const names = new Set(own.flatMap((image) => image.names));
    const others = this.#others()
      .filter(({ manifest }) => !known.has(manifest.digest))
      .map((image) => ({ ...image, names: image.names.filter((name) => !names.has(name)) }));
    return [...own, ...others].sort((one, other) => (other.created ?? 0) - (one.created ?? 0));
  }

  /**
   * The images of this store alone.
   * @param manifests the digests of those that are wanted, in this order, where they are here; all, in the order in which
   *   they came, unless given
   */
  own(manifests?: readonly Digest[]): StoredImage[] {
    return readImages(this.state, this.directory, manifests);
  }

  /** The lists of images that the user has put together. */
  lists(): StoredList[] {
    const rows = this.state.all<NameRow>("SELECT * FROM name WHERE image IS NULL ORDER BY reference");
    return rows.map((row) => ({ name: row.reference, target: targetOf(row) }));
  }

  /**
   * Finds an image as Docker does: by name (without a tag `latest` is meant), by name and digest, by id, or by the
   * beginning of an id. The name of a list means its image for this machine.
   * @param platform where an index was pulled for several, the one that is wanted; else the latest pulled
   * @throws BunkerError `image_not_found`, `image_ambiguous`, `invalid_reference`
   */
  find(text: string, platform?: Platform): StoredImage {
    const found = this.findIfThere(text, platform);
    if (found !== undefined) return found;
    const other = platform === undefined ? undefined : this.findIfThere(text);
    if (platform !== undefined && other !== undefined) throw notForPlatform(text, other, platform);
    if (this.listOf(text) !== undefined) {
      const wanted = formatPlatform(platform ?? hostPlatform());
      throw imageNotFound(text, `it is a list of images, of which none for ${wanted} is here`);
    }
    throw imageNotFound(text, "no such image");
  }

  /** The same, undefined when there is none; an id that is another platform's is an error. */
  findIfThere(text: string, platform?: Platform): StoredImage | undefined {
    const prefix = idPrefix(text);
    const isWholeId = prefix?.length === ID_LENGTH;
    if (!isWholeId && !text.startsWith("sha256:")) {
      const named = this.findByReference(withDefaultTag(parseReference(text)), platform);
      if (named !== undefined) return named;
    }
    if (prefix === undefined) return undefined;
    const found = this.#findById(`sha256:${prefix}`, text);
    if (platform === undefined || found === undefined || platformRank(platform, found.platform) > 0) return found;
    // An id is one image, so asking for it elsewhere would not help.
    throw notForPlatform(text, found, platform);
  }

  /**
   * Finds an image by its name alone.
   * @param reference with a tag or a digest; with both the digest counts, as in Docker
   */
  findByReference(reference: Reference, platform?: Platform): StoredImage | undefined {
    const { digest } = reference;
    const manifests =
      digest === undefined
        ? this.#manifestsOfName(formatReference(reference))
        : this.#manifestsOfDigest(fullRepository(reference), digest);
    // A list's name has no image of its own.
    const wanted = platform ?? (manifests.length === 0 && digest === undefined ? hostPlatform() : undefined);
    const target = wanted === undefined ? undefined : this.target(formatReference(reference));
    const ofIndex = target === undefined ? [] : manifestsOf(this, target);
    const own = chooseByPlatform(this.own([...new Set([...manifests, ...ofIndex])]), wanted);
    if (own !== undefined) return own;
    const full = formatReference(digest === undefined ? reference : { ...reference, tag: undefined });
    const others = this.#others().filter(({ names, repositoryDigests }) =>
      [...names, ...repositoryDigests].includes(full),
    );
    return chooseByPlatform(others, platform);
  }

  /** The list that a user's name means; undefined when it is an image's, an id or nothing's. */
  listOf(text: string): StoredList | undefined {
    if (/^sha256:|^[0-9a-f]{64}$/.test(text)) return undefined;
    const name = formatReference(withDefaultTag(parseReference(text)));
    const row = this.state.get<NameRow>("SELECT * FROM name WHERE reference = ? AND image IS NULL", name);
    return row === undefined ? undefined : { name, target: targetOf(row) };
  }

  /** What a name stands for, image or list; undefined when there is no such name. */
  target(name: string): BlobDescriptor | undefined {
    const row = this.state.get<NameRow>("SELECT * FROM name WHERE reference = ?", name);
    return row === undefined ? undefined : targetOf(row);
  }

  /** Full names of repositories that registries have a layer or a configuration in, as part of images known here. */
  repositoriesOf(blob: Digest): readonly string[] {
    const rows = this.state.all<{ repository: string }>(
      `SELECT repository FROM repository_digest JOIN layer USING (image) WHERE layer.digest = ?1
       UNION SELECT repository FROM repository_digest JOIN image ON image = manifest WHERE id = ?1 ORDER BY repository`,
      blob,
    );
    return rows.map(({ repository }) => repository);
  }

  /** Where the bytes of a blob are, in this store or another; undefined where none has it. */
  blobPath(digest: Digest): string | undefined {
    for (const store of [this.directory, ...this.#additional]) {
      const path = `${store}/${blobPath(digest)}`;
      const status = statusIfThere(path);
      if (status !== undefined && isType(status, FileMode.regular)) return path;
    }
    return undefined;
  }

  /**
   * Reads a manifest, index or configuration, and verifies it.
   * @throws BunkerError `blob_missing`, `digest_mismatch`, and as `readDocument` of blob.ts
   */
  readDocument(digest: Digest): Buffer {
    const path = this.blobPath(digest);
    if (path === undefined) throw missingBlob(digest, this.directory);
    const bytes = readDocument(path, path);
    verifyDigest(bytes, digest, path);
    return bytes;
  }

  /** Reads what an image says about itself. Throws as `readDocument`, and `image_invalid`. */
  readConfiguration({ id }: Pick<StoredImage, "id">): ImageConfiguration {
    return parseDocument("imageConfiguration", this.readDocument(id), `configuration ${id}`);
  }

  /**
   * An image as those who unpack and run it take it.
   * @param name as the user has written it, for messages
   * @throws BunkerError `blob_missing` and as `readConfiguration`
   */
  open(image: StoredImage, name: string): Image {
    return {
      name,
      digest: image.manifest.digest,
      configurationDigest: image.id,
      configuration: this.readConfiguration(image),
      // Where a blob is matters only to whoever unpacks it.
      layers: image.layers.map((layer) => ({
        ...layer,
        blob: { path: `${image.store}/${blobPath(layer.digest)}`, offset: 0, size: layer.size },
      })),
    };
  }

  /**
   * Adds an image, or more names of one; names that stood for another image leave it.
   * @param image all of its blobs are in this store, on the disk
   * @throws BunkerError `image_invalid`, `blob_missing`, `store_read_only`
   */
  add({ manifest: descriptor, target, names, repositories }: NewImage): void {
    const manifest = parseDocument("manifest", this.readDocument(descriptor.digest), `manifest ${descriptor.digest}`);
    const id = manifest.config.digest;
    const configuration = this.readConfiguration({ id });
    const identities = identifyLayers(configuration.diffIds);
    const created = Date.parse(configuration.created ?? "");
    const { digest } = descriptor;
    this.change((state) => {
      const { os, architecture, variant } = configuration.platform;
      state.run(
        `INSERT INTO image (manifest, media_type, size, id, configuration_size, os, architecture, variant, created, added)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET added = excluded.added`,
        ...[digest, descriptor.mediaType, descriptor.size, id, manifest.config.size],
        ...[os, architecture, variant ?? null, Number.isNaN(created) ? null : created, Date.now()],
      );
      for (const [position, layer] of manifest.layers.entries()) {
        const diffId = identities[position]?.diffId;
        if (diffId === undefined) continue;
        const values = [digest, position, layer.digest, layer.mediaType, layer.size, diffId];
        state.run("INSERT OR IGNORE INTO layer VALUES (?, ?, ?, ?, ?, ?)", ...values);
      }
      for (const [label, value] of Object.entries(configuration.labels)) {
        state.run("INSERT OR IGNORE INTO label VALUES (?, ?, ?)", digest, label, value);
      }
      for (const name of names) this.#setName(name, target, digest);
      for (const repository of repositories) {
        state.run("INSERT OR IGNORE INTO repository_digest VALUES (?, ?, ?)", repository, target.digest, digest);
      }
    });
  }

  /**
   * Notes that a repository of a registry has an image; nothing for another store's, where nothing can be noted.
   * @param target the digest there, of the image's manifest or of an index that names it
   * @param repository its full name
   */
  noteRepository(image: StoredImage, target: Digest, repository: string): void {
    if (image.isReadOnly || this.state.isReadOnly) return;
    if (image.repositoryDigests.includes(`${repository}@${target}`)) return;
    this.change((state) => {
      // The image may have gone meanwhile.
      state.run(
        "INSERT OR IGNORE INTO repository_digest SELECT ?, ?, manifest FROM image WHERE manifest = ?",
        ...[repository, target, image.manifest.digest],
      );
    });
  }

  /**
   * Gives an image another name, which leaves the image it stood for.
   * @param name full, with a tag
   * @throws BunkerError `image_not_found` when the image has gone meanwhile, `store_read_only`
   */
  tag(image: StoredImage, name: string): void {
    if (image.isReadOnly) throw readOnly("name", image.id, image.store);
    this.change((state) => {
      const [known] = this.own([image.manifest.digest]);
      if (known === undefined) {
        throw new BunkerError({ code: "image_not_found", operation: "name", object: image.id, reason: "it has gone" });
      }
      // A name of what was pulled goes on standing for all of it.
      const [first] = image.names;
      const row = state.get<NameRow>(
        "SELECT * FROM name WHERE reference = ? AND image = ?",
        first ?? "",
        known.manifest.digest,
      );
      this.#setName(name, row === undefined ? known.manifest : targetOf(row), known.manifest.digest);
      state.run("UPDATE image SET tagged = ? WHERE manifest = ?", Date.now(), known.manifest.digest);
    });
  }

  /**
   * Lets a name stand for a list of images, whose index is in the store.
   * @param name full, with a tag
   */
  setList(name: string, target: BlobDescriptor): void {
    this.change(() => this.#setName(name, target, null));
  }

  /** Takes a name away; returns whether there was one. What nothing names any more stays, until it is removed. */
  untag(name: string): boolean {
    return this.change((state) => state.run("DELETE FROM name WHERE reference = ?", name) > 0);
  }

  /**
   * Changes the rows, durably, and writes what is derived from them.
   * @throws BunkerError `store_read_only`, and what `work` throws: nothing is changed then
   */
  change<Result>(work: (state: StateDatabase) => Result): Result {
    this.#refuseReadOnly();
    using _ = this.rely();
    return this.#change(work);
  }

  /**
   * The same for what takes images away from whoever may use them: nobody relies on images between what is asked first,
   * such as who uses one, and the change. Throws as `change`, and what `ask` throws.
   * @param ask is called outside of the transaction, within which no other connection can write
   * @param work gets its answer
   */
  changeAlone<Answer, Result>(ask: () => Answer, work: (state: StateDatabase, answer: Answer) => Result): Result {
    this.#refuseReadOnly();
    using _ = excludeOthersFromImages(this.directory);
    const answer = ask();
    return this.#change((state) => work(state, answer));
  }

  #refuseReadOnly(): void {
    if (this.state.isReadOnly) throw readOnly("change", this.directory, this.directory);
  }

  #change<Result>(work: (state: StateDatabase) => Result): Result {
    const counted = () => {
      this.state.run("UPDATE layout_index SET changes = changes + 1");
      return work(this.state);
    };
    const result = this.state.transaction(counted, { durable: true });
    // Not part of the transaction but alone among all processes, so that the latest state is what is written last.
    this.state.transaction(() => this.writeIndex());
    return result;
  }

  /** As `relyOnImages`. */
  rely(): Disposable {
    // Nothing is ever removed where nothing can be written.
    return this.state.isReadOnly ? { [Symbol.dispose]: () => undefined } : relyOnImages(this.directory);
  }

  /** Writes index.json as the rows are now. Has to be called inside of a transaction. */
  writeIndex(): void {
    writeLayoutIndex(this.directory, this.own(), this.lists());
    this.state.run("UPDATE layout_index SET written = changes");
  }

  /**
   * Writes index.json when somebody was killed, or had no space, between changing the rows and that. Where it cannot be
   * written now either, that is left to the next one: what this one is about to do may well be making space.
   */
  completeIndex(): void {
    if (this.state.isReadOnly || !this.#isIndexOld()) return;
    try {
      this.state.transaction(() => {
        // Whoever changed the rows may just have done it.
        if (this.#isIndexOld()) this.writeIndex();
      });
    } catch (error) {
      if (!(error instanceof BunkerError) && errnoOf(error) === undefined) throw error;
    }
  }

  #isIndexOld(): boolean {
    return this.state.get("SELECT 1 FROM layout_index WHERE written <> changes") !== undefined;
  }

  #setName(name: string, target: BlobDescriptor, image: Digest | null): void {
    const values = [name, target.digest, target.mediaType, target.size, image];
    this.state.run("INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?, ?)", ...values);
  }

  #findById(prefix: string, text: string): StoredImage | undefined {
    const rows = this.state.all<{ manifest: Digest }>(
      "SELECT manifest FROM image WHERE id >= ? AND id < ? ORDER BY added DESC",
      ...[prefix, `${prefix}g`],
    );
    const own = this.own(rows.map(({ manifest }) => manifest));
    const found = [...own, ...this.#others().filter(({ id }) => id.startsWith(prefix))];
    const ids = [...new Set(found.map(({ id }) => id))];
    if (ids.length <= 1) return found[0];
    throw new BunkerError({
      code: "image_ambiguous",
      operation: "find the image",
      object: text,
      reason: `${ids.length} ids begin with it: ${ids.map((id) => splitDigest(id).hex.slice(0, 12)).join(", ")}`,
      hint: "Give more digits of the id.",
    });
  }

  #manifestsOfName(name: string): Digest[] {
    const rows = this.state.all<{ image: Digest }>(
      `SELECT name.image, 0 AS place FROM name WHERE reference = ?1 AND image IS NOT NULL
       UNION SELECT other.image, 1 FROM name JOIN repository_digest AS other ON other.digest = name.target
       WHERE reference = ?1 AND name.image <> other.image ORDER BY place`,
      name,
    );
    return rows.map(({ image }) => image);
  }

  #manifestsOfDigest(repository: string, digest: Digest): Digest[] {
    const rows = this.state.all<{ image: Digest }>(
      `SELECT image FROM repository_digest JOIN image ON image = manifest
       WHERE repository = ? AND (digest = ?2 OR manifest = ?2) ORDER BY added DESC`,
      ...[repository, digest],
    );
    return rows.map(({ image }) => image);
  }

  #others(): readonly StoredImage[] {
    this.#othersImages ??= this.#additional.flatMap(readAdditionalStore);
    return this.#othersImages;
  }
}

/**
 * Opens the store.
 * @param directory the data directory; made when it is missing
 * @param additional stores that are only read, looked up in their order
 * @throws BunkerError as `openStateDatabase`, `invalid_store`
 */
export function openImageStore(
  directory: string,
  additional: readonly string[] = additionalStoreDirectories(),
): ImageStore {
  const store = new ImageStore(directory, openStateDatabase(directory, [imageTables]), additional);
  store.completeIndex();
  return store;
}

/**
 * The store of a database that is open already: a second connection would take a command another millisecond.
 * @param state the database in that directory; it stays its owner's to close, and the store is not to be disposed of
 * @throws BunkerError as `openImageStore`
 */
export function imageStoreIn(directory: string, state: StateDatabase): ImageStore {
  state.include([imageTables]);
  const store = new ImageStore(directory, state, additionalStoreDirectories());
  store.completeIndex();
  return store;
}

/** The hexadecimal digits of what may be an id or its beginning. Not by a pattern: see sys/is-decimal.ts. */
function idPrefix(text: string): string | undefined {
  const digits = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  if (digits === "" || digits.length > ID_LENGTH) return undefined;
  for (let index = 0; index < digits.length; index++) {
    const code = digits.charCodeAt(index);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return undefined;
  }
  return digits;
}

/** The one that fits a platform best; the first when none is asked for. */
function chooseByPlatform(images: readonly StoredImage[], platform: Platform | undefined): StoredImage | undefined {
  if (platform === undefined) return images[0];
  const rank = (image: StoredImage) => platformRank(platform, image.platform);
  return images.filter((image) => rank(image) > 0).sort((one, other) => rank(other) - rank(one))[0];
}

function imageNotFound(text: string, reason: string): BunkerError {
  return new BunkerError({ code: "image_not_found", operation: "find the image", object: text, reason });
}

function notForPlatform(text: string, { platform: offered }: StoredImage, wanted: Platform): BunkerError {
  return imageNotFound(text, `it is here for ${formatPlatform(offered)}, not for ${formatPlatform(wanted)}`);
}

/** That the store lacks a blob which something in it names. */
export function missingBlob(digest: Digest, store: string): BunkerError {
  return new BunkerError({
    code: "blob_missing",
    operation: "read",
    object: digest,
    reason: `it is not in ${store}`,
    hint: "Pull the image again.",
  });
}

function readOnly(operation: string, object: string, store: string): BunkerError {
  return new BunkerError({
    code: "store_read_only",
    operation,
    object,
    reason: `the store ${store} cannot be written`,
  });
}

/** The name as users write it, of a full one. */
export function familiarName(name: string): string {
  return familiarReference(parseReference(name));
}
