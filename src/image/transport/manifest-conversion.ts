/*
 * Docker's manifests in OCI's form, and the other way round. Both say the same in the same fields, with other media types,
 * and configurations and layers are the same bytes; but other programs do not find Docker's kinds in an OCI image layout,
 * and old registries take no other. So a manifest on its way there gets the other media types, and with them another
 * digest. What else is in it stays.
 */

import { BunkerError } from "../../sys/error.ts";
import { digestOf } from "../digest.ts";
import {
  DOCKER_CONFIGURATION,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  INDEX_MEDIA_TYPE,
  OCI_CONFIGURATION,
  OCI_MANIFEST,
} from "../media-types.ts";
import { type EditableDescriptor, parseEditableManifest } from "./editable-manifest.ts";
import type { Manifest } from "./transport.ts";

const LAYER = "application/vnd.oci.image.layer.v1.tar";
const FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar";

const mediaTypes: ReadonlyMap<string, string> = new Map([
  [DOCKER_MANIFEST, OCI_MANIFEST],
  [DOCKER_MANIFEST_LIST, INDEX_MEDIA_TYPE],
  [DOCKER_CONFIGURATION, OCI_CONFIGURATION],
  ["application/vnd.docker.image.rootfs.diff.tar", LAYER],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", `${LAYER}+gzip`],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", `${LAYER}+zstd`],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", FOREIGN_LAYER],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", `${FOREIGN_LAYER}+gzip`],
]);

const dockerMediaTypes: ReadonlyMap<string, string> = new Map([...mediaTypes].map(([docker, oci]) => [oci, docker]));

/** The media type with which OCI names the same kind of document or blob. */
export function ociMediaType(mediaType: string): string {
  return mediaTypes.get(mediaType) ?? mediaType;
}

/** The media type with which Docker names the same kind of document or blob. */
export function dockerMediaType(mediaType: string): string {
  return dockerMediaTypes.get(mediaType) ?? mediaType;
}

/** Whose media types a manifest has. */
export type ManifestKind = "oci" | "docker";

const conversions: Readonly<Record<ManifestKind, (mediaType: string) => string>> = {
  oci: ociMediaType,
  docker: dockerMediaType,
};

/**
 * Converts manifests.
 * @param manifests what an index names is before it
 * @param name of the image, for messages
 * @returns the same in the same order; those of the wanted kind that name only such are themselves
 * @throws BunkerError `image_invalid`; `not_convertible` for layers that Docker's manifests cannot name
 */
export function convertManifests(manifests: readonly Manifest[], kind: ManifestKind, name: string): Manifest[] {
  const converted = new Map<string, Manifest>();
  return manifests.map((manifest) => {
    const document = parseEditableManifest(manifest, name);
    const { config, layers, manifests: inner } = document;
    const mediaType = conversions[kind](manifest.mediaType);
    const isOfKind = mediaType === manifest.mediaType;
    if (isOfKind && inner?.every(({ digest }) => !converted.has(digest)) !== false) return manifest;
    if (kind === "docker") checkForDocker(layers ?? [], name);
    const convert = (named: EditableDescriptor) => convertDescriptor(named, kind, converted);
    const bytes = Buffer.from(
      JSON.stringify({
        ...document,
        mediaType,
        ...(config == null ? {} : { config: convert(config) }),
        ...(layers == null ? {} : { layers: layers.map(convert) }),
        // What is not there to be converted remains what it is.
        ...(inner == null
          ? {}
          : { manifests: inner.map((named) => (converted.has(named.digest) ? convert(named) : named)) }),
      }),
    );
    const result: Manifest = { mediaType, digest: digestOf(bytes), bytes };
    converted.set(manifest.digest, result);
    return result;
  });
}

function convertDescriptor(
  named: EditableDescriptor,
  kind: ManifestKind,
  converted: ReadonlyMap<string, Manifest>,
): EditableDescriptor {
  const manifest = converted.get(named.digest);
  const mediaType = conversions[kind](named.mediaType);
  if (manifest === undefined) return { ...named, mediaType };
  return { ...named, mediaType, digest: manifest.digest, size: manifest.bytes.length };
}

/** Docker's manifests name no layers that are packed with zstd, and no other kinds of blobs. */
function checkForDocker(layers: readonly EditableDescriptor[], name: string): void {
  const odd = layers.find(({ mediaType }) => {
    const converted = dockerMediaType(mediaType);
    return !converted.startsWith("application/vnd.docker.") || converted.endsWith("zstd");
  });
  if (odd === undefined) return;
  throw new BunkerError({
    code: "not_convertible",
    operation: "write as Docker's kind of manifest",
    object: name,
    reason: `it cannot name the layer ${odd.digest} of the type ${odd.mediaType}`,
    ...(odd.mediaType.endsWith("zstd") ? { hint: "Pack the layers anew: bunker push --compression-format gzip." } : {}),
  });
}
