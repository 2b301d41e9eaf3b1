/*
 * Bunker's own store as what a server has. What is pushed becomes an image of the store, named after the server:
 * `localhost:PORT/REPOSITORY:TAG`. The store knows images and nothing else, so artifacts are refused.
 *
 * Images of an index come before it and without a name. They are remembered until then; the one for this machine
 * becomes the store's image. Blobs come before their image, too; see held-blobs.ts. An image that is deleted loses its
 * names here, and stays until it is pruned.
 */

import { existsSync, readFileSync } from "node:fs";
import * as v from "valibot";
import { BunkerError } from "../../../sys/error.ts";
import { synchronizeFileSystem } from "../../../sys/file.ts";
import { check } from "../../../sys/system-call.ts";
import type { Digest } from "../../digest.ts";
import { parseDocument } from "../../documents.ts";
import { openDirectory } from "../../layers/store-lock.ts";
import { blobPath } from "../../layout-files.ts";
import { chooseManifest } from "../../manifest-choice.ts";
import { isConfiguration, isIndex } from "../../media-types.ts";
import { deleteNames } from "../../store/delete-names.ts";
import type { ImageStore } from "../../store/image-store.ts";
import { addReachableBlobs } from "../../store/reachable-blobs.ts";
import type { BlobDescriptor } from "../../store/stored-image.ts";
import type { LayoutStaging } from "../../transport/layout-staging.ts";
import { ApiError } from "./api-error.ts";
import { HeldBlobs } from "./held-blobs.ts";
import type { RegistryContents, ServedManifest } from "./registry-contents.ts";
import { servedName } from "./served-name.ts";

const imageManifest = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ config: v.object({ mediaType: v.string() }), subject: v.nullish(v.unknown()) }),
);

/**
 * Opens the store as a server's contents.
 * @param registry tells what pushed images are named after: `localhost:5000`
 * @param staging where links to blobs are kept; undefined for a store that is only read
 */
export function storeContents(
  store: ImageStore,
  registry: () => string,
  staging: LayoutStaging | undefined,
): RegistryContents {
  const held = staging === undefined ? undefined : new HeldBlobs(store.directory, staging);
  const pending = new Map<string, ServedManifest>();
  const pathOf = ({ digest }: Pick<BlobDescriptor, "digest">) => `${store.directory}/${blobPath(digest)}`;
  const readBlob = (blob: Pick<BlobDescriptor, "digest">) => readFileSync(pathOf(blob));

  const addImage = (manifest: BlobDescriptor, target: BlobDescriptor, repository: string, tag: string) => {
    const name = `${registry()}/${repository}`;
    try {
      store.add({ manifest, target, names: [`${name}:${tag}`], repositories: [name] });
    } catch (error) {
      if (error instanceof BunkerError && error.code === "image_invalid") {
        throw new ApiError("MANIFEST_INVALID", error.message);
      }
      throw error;
    }
  };

  const manifests = (): readonly ServedManifest[] => {
    const images = store.list().filter(({ isReadOnly: isAnothers }) => !isAnothers);
    const ofImages = images.flatMap(({ manifest, names, repositoryDigests }) => [
      ...names.flatMap((name) => servedManifest(name, manifest)),
      ...repositoryDigests.flatMap((name) =>
        servedManifest(name.slice(0, name.indexOf("@")), manifest).map((each) => ({ ...each, tag: undefined })),
      ),
    ]);
    return [
      ...pending.values(),
      ...ofImages,
      ...store.lists().flatMap(({ name, target }) => servedManifest(name, target)),
    ];
  };

  return {
    directory: store.directory,
    isReadOnly: staging === undefined,
    manifests,
    hold: (repository, digest, path) => held?.hold(repository, digest, path) ?? existsSync(path),
    rely: (repository) => {
      using lock = new DisposableStack();
      lock.use(store.rely());
      held?.putBack(repository);
      return lock.move();
    },
    add: (manifest) => {
      const { repository, tag, mediaType } = manifest;
      if (!isIndex(mediaType)) {
        const content = v.safeParse(imageManifest, readBlob(manifest).toString("utf8"));
        const isImage = content.success && isConfiguration(content.output.config.mediaType);
        if (!isImage || content.output.subject != null) {
          throw new ApiError("UNSUPPORTED", "Bunker's store holds images only; serve a directory for artifacts", 415);
        }
      }
      if (tag === undefined) {
        pending.set(`${repository}@${manifest.digest}`, manifest);
        held?.hold(repository, manifest.digest, pathOf(manifest));
        return;
      }
      synchronize(store.directory);
      if (!isIndex(mediaType)) addImage(manifest, manifest, repository, tag);
      else addImage(imageOf(store, manifest, readBlob), manifest, repository, tag);
      const named = new Set<Digest>();
      addReachableBlobs(store, manifest, named);
      held?.release(repository, named);
    },
    remove: (repository, which) => {
      const isHere = (name: string) => servedName(name)?.repository === repository;
      const isMeant = (name: string, digest: Digest) =>
        isHere(name) && ("tag" in which ? servedName(name)?.tag === which.tag : digest === which.digest);
      if ("digest" in which) pending.delete(`${repository}@${which.digest}`);
      for (const { name, target } of store.lists()) if (isMeant(name, target.digest)) store.untag(name);
      for (const { names, repositoryDigests, manifest } of store.own()) {
        const { digest } = manifest;
        const isItself = "digest" in which && digest === which.digest;
        const known = isItself ? repositoryDigests.filter((name) => isHere(name.slice(0, name.indexOf("@")))) : [];
        const gone = [...names.filter((name) => isMeant(name, digest)), ...known];
        if (gone.length > 0) store.change((state) => deleteNames(state, digest, gone));
      }
    },
  };
}

/** Brings what has been uploaded to the disk. */
function synchronize(directory: string): void {
  using own = openDirectory(directory);
  check(synchronizeFileSystem(own.number), "write to disk", directory);
}

function servedManifest(name: string, { mediaType, digest, size }: BlobDescriptor): readonly ServedManifest[] {
  const served = servedName(name);
  return served === undefined ? [] : [{ mediaType, digest, size, ...served }];
}

/** The image of an index that fits this machine, of those that were pushed. */
function imageOf(
  { directory }: ImageStore,
  index: ServedManifest,
  readBlob: (blob: Pick<BlobDescriptor, "digest">) => Buffer,
): BlobDescriptor {
  const parse = (blob: Pick<BlobDescriptor, "digest">) => {
    const document = parseDocument("index", readBlob(blob), `index ${blob.digest}`);
    const isHere = ({ digest }: Pick<BlobDescriptor, "digest">) => existsSync(`${directory}/${blobPath(digest)}`);
    return { ...document, manifests: document.manifests.filter(isHere) };
  };
  try {
    return chooseManifest(parse(index), undefined, undefined, parse, `index ${index.digest}`);
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    throw new ApiError("MANIFEST_INVALID", error.message);
  }
}
