/** Images that a list is to have, found by their names: in the store, or in a registry. */

import { BunkerError } from "../../sys/error.ts";
import { verifyDigest } from "../blob.ts";
import { type Descriptor, invalidDocument, MAXIMUM_DOCUMENT_SIZE, parseDocument } from "../documents.ts";
import { chooseManifest } from "../manifest-choice.ts";
import { isConfiguration, isIndex } from "../media-types.ts";
import { fullRepository, parseReference } from "../reference.ts";
import type { Registries } from "../registry/registries.ts";
import { RegistryReader } from "../registry/registry-reader.ts";
import type { ImageStore } from "../store/image-store.ts";
import { openStoreReader } from "../store/store-reader.ts";
import type { BlobDescriptor } from "../store/stored-image.ts";
import { readRoot } from "../transport/read-manifests.ts";
import type { ImageReader, Manifest } from "../transport/transport.ts";
import type { Arrival } from "./list-store.ts";
import type { ListMember } from "./manifest-list.ts";

const REGISTRY_PREFIX = "docker://";

/** An image for a list. */
export interface FoundMember extends Arrival {
  readonly member: ListMember;
}

/** Where members are looked for. */
export interface MemberPlaces {
  readonly store: ImageStore;
  readonly registries: Registries;
  readonly signal: AbortSignal;
}

/**
 * Finds what a name stands for.
 * @param text a name or an id of the store; what it has not, and names with `docker://`, are asked of the registry
 * @param all of an index, whether to take all of its images or this machine's
 * @throws BunkerError what store and registry can meet, `platform_mismatch`
 */
export async function findMembers(text: string, all: boolean, places: MemberPlaces): Promise<FoundMember[]> {
  const { reader, repository } = openPlace(text, all, places);
  await using _ = reader;
  return await membersOf(reader, all, repository, places.signal);
}

/**
 * Finds what an artifact or a list is about: the manifest or index that a name stands for.
 * @param text undefined when it is about nothing
 * @throws BunkerError as `findMembers`
 */
export async function subjectOf(text: string | undefined, places: MemberPlaces): Promise<BlobDescriptor | undefined> {
  if (text === undefined) return undefined;
  await using reader = openPlace(text, false, places).reader;
  const { mediaType, digest, bytes } = await readRoot(reader);
  return { mediaType, digest, size: bytes.length };
}

/** @returns besides the reader the full name of its repository; undefined for the store */
function openPlace(text: string, all: boolean, { store, registries, signal }: MemberPlaces) {
  const isRemote = text.startsWith(REGISTRY_PREFIX);
  if (!isRemote && store.findIfThere(text) !== undefined) {
    return { reader: openStoreReader(store, text, all ? "all" : undefined), repository: undefined };
  }
  const reference = parseReference(isRemote ? text.slice(REGISTRY_PREFIX.length) : text);
  return { reader: new RegistryReader(registries, reference, signal), repository: fullRepository(reference) };
}

async function membersOf(
  reader: ImageReader,
  all: boolean,
  repository: string | undefined,
  signal: AbortSignal,
): Promise<FoundMember[]> {
  const root = await reader.readManifest();
  if (!isIndex(root.mediaType)) return [await memberOf(reader, root, repository, signal)];
  const index = parseDocument("index", root.bytes, `index of ${reader.name}`);
  const chosen = all ? index.manifests : [chooseManifest(index, undefined, undefined, nested(reader), reader.name)];
  const members: FoundMember[] = [];
  for (const descriptor of chosen) {
    const manifest = await reader.readManifest(descriptor);
    const found = await memberOf(reader, manifest, repository, signal);
    const { annotations, platform } = descriptor;
    members.push({
      ...found,
      member: {
        ...found.member,
        // What the index says is what its maker wanted.
        ...(platform == null ? {} : { platform: { ...found.member.platform, ...withoutUndefined(platform) } }),
        ...(Object.keys(annotations ?? {}).length === 0 ? {} : { annotations: annotations ?? {} }),
      },
    });
  }
  return members;
}

function nested({ name }: ImageReader): (descriptor: Descriptor) => never {
  return () => {
    throw new BunkerError({
      code: "image_ambiguous",
      operation: "add",
      object: name,
      reason: "its index has further indexes in it",
      hint: "Add it with --all, or add one of its images by its digest.",
    });
  };
}

function withoutUndefined(platform: { os: string; architecture: string; variant: string | undefined }) {
  const { os, architecture, variant } = platform;
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

async function memberOf(
  reader: ImageReader,
  manifest: Manifest,
  repository: string | undefined,
  signal: AbortSignal,
): Promise<FoundMember> {
  const { mediaType, digest, bytes } = manifest;
  const member = { mediaType, digest, size: bytes.length };
  if (isIndex(mediaType)) return { manifest, repository, member };
  const { artifactType, config } = parseDocument("manifest", bytes, `manifest ${digest} of ${reader.name}`);
  if (!isConfiguration(config.mediaType)) {
    // An artifact is for no platform.
    return { manifest, repository, member: { ...member, artifactType: artifactType ?? config.mediaType } };
  }
  const configuration = await readBlob(reader, config, signal);
  const { platform } = parseDocument("imageConfiguration", configuration, `configuration of ${reader.name}`);
  return { manifest, repository, member: { ...member, platform: withoutUndefined(platform) } };
}

async function readBlob(reader: ImageReader, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const { digest, size } = descriptor;
  const name = `configuration of ${reader.name}`;
  if (size > MAXIMUM_DOCUMENT_SIZE) throw invalidDocument(name, `it has ${size} bytes, more than 4 MiB`);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of reader.readBlob(descriptor, { signal })) {
    length += piece.length;
    if (length > size) throw invalidDocument(name, `it has more than the ${size} bytes that the manifest says`);
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  verifyDigest(bytes, digest, name);
  return bytes;
}
