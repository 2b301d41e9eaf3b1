/*
 * Archives of `docker save`: manifest.json lists images, each with the member that is its configuration and the
 * members that are its layers. Old versions keep a layer as ID/layer.tar, possibly as a link to another image's; new
 * versions keep everything under blobs/, and are an OCI image layout besides. Layers are named by the diff ids of the
 * configuration, and it is those that vouch for them.
 */
import { BunkerError } from "../sys/error.ts";
import type { BlobLocation } from "./blob.ts";
import { identifyLayers } from "./chain-id.ts";
import { digestOf } from "./digest.ts";
import { type DockerManifest, invalidDocument, parseDocument } from "./documents.ts";
import type { Image } from "./image.ts";
import type { LayoutFiles } from "./layout-files.ts";
import { checkPlatform } from "./manifest-choice.ts";
import { hostPlatform, type Platform, platformRank } from "./platform.ts";

/** An image of such an archive, and where the bytes of its configuration are. */
export interface DockerImage extends Image {
  readonly configurationBlob: BlobLocation;
}

/**
 * Opens an image of such an archive.
 * @param reference `name[:tag]`, `@N` for place N in manifest.json, undefined for the only one
 * @param platform,name as `openLayout`
 * @throws BunkerError as `openLayout`
 */
export function openDockerArchive(
  files: LayoutFiles,
  reference: string | undefined,
  platform: Platform | undefined,
  name: string,
): Image {
  return chooseArchivedImage(files, readDockerManifest(files, name), reference, platform, name);
}

/**
 * Reads the manifest.json of an archive.
 * @throws BunkerError `image_invalid`
 */
export function readDockerManifest(files: LayoutFiles, name: string): DockerManifest {
  return parseDocument("dockerManifest", files.read("manifest.json"), `manifest.json of ${name}`);
}

/**
 * Opens the image that is meant; parameters and errors as `openDockerArchive`.
 * @param manifest what `readDockerManifest` has read
 */
export function chooseArchivedImage(
  files: LayoutFiles,
  manifest: DockerManifest,
  reference: string | undefined,
  platform: Platform | undefined,
  name: string,
): DockerImage {
  const images = filterByReference(manifest, reference, name).map((entry) => openDockerImage(files, entry, name));
  const fitting = images.filter(
    ({ configuration }) => platformRank(platform ?? hostPlatform(), configuration.platform) > 0,
  );
  const [only, second] = images.length === 1 ? images : fitting;
  if (only === undefined || second !== undefined) {
    const names = manifest.map(({ RepoTags, Config }) => RepoTags[0] ?? Config).join(", ");
    throw new BunkerError({
      code: only === undefined ? "platform_mismatch" : "image_ambiguous",
      operation: "choose an image from",
      object: name,
      reason: `it has ${only === undefined ? "none for the platform" : "several"}: ${names}`,
      hint: "Add a colon and one of these names.",
    });
  }
  checkPlatform(only.configuration.platform, platform, name);
  return only;
}

function filterByReference(manifest: DockerManifest, reference: string | undefined, name: string): DockerManifest {
  const place = /^@([0-9]{1,9})$/.exec(reference ?? "")?.[1];
  const wanted = reference === undefined ? undefined : canonicalName(reference);
  const named = manifest.filter(
    ({ RepoTags }, position) =>
      wanted === undefined ||
      (place === undefined ? RepoTags.map(canonicalName).includes(wanted) : position === Number(place)),
  );
  if (named.length > 0) return named;
  const names = manifest.map(({ RepoTags, Config }) => RepoTags[0] ?? Config).join(", ");
  throw new BunkerError({
    code: "image_not_found",
    operation: "find the image",
    object: name,
    reason: names === "" ? "the archive has no images" : `there is only ${names}`,
  });
}

/** A name with the tag and without the parts that Docker adds silently, so that `alpine` is `docker.io/library/alpine:latest`. */
function canonicalName(reference: string): string {
  const short = reference.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\//, "");
  return /:[^/]*$/.test(short) ? short : `${short}:latest`;
}

/**
 * Opens the image of one entry of manifest.json.
 * @throws BunkerError `digest_mismatch`, `image_invalid`
 */
export function openDockerImage(
  files: LayoutFiles,
  { Config, Layers }: DockerManifest[number],
  name: string,
): DockerImage {
  const bytes = files.read(Config);
  const digest = digestOf(bytes);
  const stated = /([0-9a-f]{64})(?:\.json)?$/.exec(Config)?.[1];
  if (stated !== undefined && digest !== `sha256:${stated}`) {
    throw new BunkerError({
      code: "digest_mismatch",
      operation: "verify",
      object: `${Config} of ${name}`,
      reason: `its digest is ${digest}`,
    });
  }
  const configuration = parseDocument("imageConfiguration", bytes, `${Config} of ${name}`);
  if (Layers.length !== configuration.diffIds.length) {
    const reason = `it has ${Layers.length} layers, its configuration ${configuration.diffIds.length}`;
    throw invalidDocument(`manifest.json of ${name}`, reason);
  }
  const layers = identifyLayers(configuration.diffIds).map((identity, position) => {
    const blob = files.locate(Layers[position] ?? "");
    return { ...identity, mediaType: "", digest: undefined, blob };
  });
  return {
    name,
    digest: undefined,
    configurationDigest: digest,
    configuration,
    layers,
    configurationBlob: files.locate(Config),
  };
}
