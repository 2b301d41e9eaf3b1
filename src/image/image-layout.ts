/*
 * Images in the OCI image layout: index.json names manifests, a manifest names its configuration and its layers, and
 * all of them are blobs under their digests; OCI image specification, image-layout.md.
 */
import { identifyLayers, type LayerIdentity } from "./chain-id.ts";
import type { Digest } from "./digest.ts";
import { type Descriptor, type Index, invalidDocument, parseDocument } from "./documents.ts";
import type { Image, Layer } from "./image.ts";
import { blobPath, type LayoutFiles, readBlob } from "./layout-files.ts";
import { checkPlatform, chooseManifest } from "./manifest-choice.ts";
import { isLayer } from "./media-types.ts";
import type { Platform } from "./platform.ts";

/**
 * Reads what a layout names.
 * @param name of the image, for messages
 * @throws BunkerError `image_invalid` when the directory or archive is no layout of a known version
 */
export function readLayoutIndex(files: LayoutFiles, name: string): Index {
  parseDocument("layout", files.read("oci-layout"), `oci-layout of ${name}`);
  return parseDocument("index", files.read("index.json"), `index.json of ${name}`);
}

/**
 * Opens an image of a layout.
 * @param tag the image's `org.opencontainers.image.ref.name`, `@N` for place N in index.json, undefined for the only one
 * @param platform undefined takes what fits this machine, or the only one there is
 * @param name of the image, for messages
 * @throws BunkerError `image_invalid`, `image_not_found`, `image_ambiguous`, `platform_mismatch`, `digest_mismatch`
 */
export function openLayout(
  files: LayoutFiles,
  tag: string | undefined,
  platform: Platform | undefined,
  name: string,
): Image {
  const index = readLayoutIndex(files, name);
  const readIndex = (descriptor: Descriptor) =>
    parseDocument("index", readBlob(files, descriptor, "index"), `index ${descriptor.digest} of ${name}`);
  const chosen = chooseManifest(index, tag, platform, readIndex, name);

  const manifestName = `manifest ${chosen.digest} of ${name}`;
  const manifest = parseDocument("manifest", readBlob(files, chosen, "manifest"), manifestName);
  const configurationName = `configuration ${manifest.config.digest} of ${name}`;
  const configurationBytes = readBlob(files, manifest.config, "configuration");
  const configuration = parseDocument("imageConfiguration", configurationBytes, configurationName);
  checkPlatform(configuration.platform, platform, name);
  return {
    name,
    digest: chosen.digest,
    configurationDigest: manifest.config.digest,
    configuration,
    layers: joinLayers(files, manifest.layers, configuration.diffIds, manifestName),
  };
}

function joinLayers(
  files: LayoutFiles,
  descriptors: readonly Descriptor[],
  diffIds: readonly Digest[],
  name: string,
): Layer[] {
  return identifyDescriptors(descriptors, diffIds, name).map(({ size, ...layer }) => {
    const blob = files.locate(blobPath(layer.digest));
    if (blob.size !== size) {
      throw invalidDocument(`layer ${layer.digest} of ${name}`, `it has ${blob.size} bytes instead of ${size}`);
    }
    return { ...layer, blob };
  });
}

/**
 * Brings together what manifest and configuration say of the layers.
 * @param descriptors of the manifest
 * @param diffIds of the configuration
 * @param name of the manifest, for messages
 * @throws BunkerError `image_invalid` where they do not fit, or a layer is no archive
 */
export function identifyDescriptors(
  descriptors: readonly Descriptor[],
  diffIds: readonly Digest[],
  name: string,
): (LayerIdentity & Pick<Descriptor, "mediaType" | "digest" | "size">)[] {
  if (descriptors.length !== diffIds.length) {
    throw invalidDocument(name, `it has ${descriptors.length} layers, its configuration ${diffIds.length}`);
  }
  return identifyLayers(diffIds).map((identity, position) => {
    const descriptor = descriptors[position];
    if (descriptor === undefined) throw new Error("a layer without a descriptor");
    const { mediaType, digest, size } = descriptor;
    if (!isLayer(descriptor)) {
      throw invalidDocument(name, `layers.${position}.mediaType: ${JSON.stringify(mediaType)} is not supported`);
    }
    return { ...identity, mediaType, digest, size };
  });
}
