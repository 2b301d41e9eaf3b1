import type { Digest } from "../digest.ts";
import { parseDocument } from "../documents.ts";
import { isIndex } from "../media-types.ts";
import { parseReference } from "../reference.ts";
import type { Registries } from "../registry/registries.ts";
import { RegistryReader } from "../registry/registry-reader.ts";
import type { ImageStore } from "../store/image-store.ts";
import { openStoreReader, type StoreReader } from "../store/store-reader.ts";
import type { ImageReader } from "../transport/transport.ts";
import { type NamedList, originOf } from "./list-store.ts";

/**
 * Reads a list with all of its images: from the store, and what that has not from the repositories that the images were
 * found in.
 * @param signal ends what is asked of registries
 * @throws BunkerError as `Registries.forPull`
 */
export function openListReader(
  store: ImageStore,
  { name, list }: NamedList,
  registries: Registries,
  signal: AbortSignal,
): ImageReader {
  const local = openStoreReader(store, name, "all");
  const origins = originsOfBlobs(store, local, name, list.manifests);
  return {
    name: local.name,
    readManifest: (descriptor) => local.readManifest(descriptor),
    async *readBlob(descriptor, options) {
      const repository = local.has(descriptor.digest) ? undefined : origins.get(descriptor.digest);
      if (repository === undefined) {
        yield* local.readBlob(descriptor, options);
        return;
      }
      await using remote = new RegistryReader(registries, parseReference(repository), signal);
      yield* remote.readBlob(descriptor, options);
    },
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** In which repository each blob of a list's images is that came from a registry. */
function originsOfBlobs(
  store: ImageStore,
  local: StoreReader,
  name: string,
  members: NamedList["list"]["manifests"],
): ReadonlyMap<Digest, string> {
  const origins = new Map<Digest, string>();
  for (const { digest, mediaType } of members) {
    const repository = originOf(store, name, digest);
    if (repository === undefined || isIndex(mediaType)) continue;
    const manifest = parseDocument("manifest", local.readDocument(digest), `manifest ${digest} of ${name}`);
    for (const blob of [manifest.config, ...manifest.layers]) origins.set(blob.digest, repository);
  }
  return origins;
}
