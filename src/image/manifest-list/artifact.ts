/*
 * Files as an artifact: a manifest whose layers are the files as they are, for what is no image but goes with images
 * through registries (signatures, bills of materials, charts). OCI image specification 1.1, manifest.md, "Guidelines for
 * artifact usage".
 */

import { basename } from "node:path";
import { openFile } from "../blob.ts";
import { streamBlob } from "../blob-stream.ts";
import { DigestHasher, digestOf } from "../digest.ts";
import { OCI_CONFIGURATION, OCI_MANIFEST } from "../media-types.ts";
import type { BlobStaging } from "../store/blob-staging.ts";
import type { BlobDescriptor } from "../store/stored-image.ts";
import type { FoundMember } from "./find-members.ts";

const TITLE = "org.opencontainers.image.title";
const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";
const EMPTY = Buffer.from("{}");

/** What an artifact is made of. */
export interface ArtifactParts {
  /** The files' paths. */
  readonly files: readonly string[];
  /** The media type of the whole. */
  readonly type: string;
  /** The media type of the files; by their names unless given. */
  readonly layerType: string | undefined;
  /** The path of the configuration, which is empty unless given. */
  readonly configuration: string | undefined;
  readonly configurationType: string | undefined;
  /** Whether the files' names are kept, as the titles of the layers. */
  readonly hasTitles: boolean;
  /** The manifest that the artifact is about. */
  readonly subject: BlobDescriptor | undefined;
}

/**
 * Makes an artifact, and stages the blobs of it.
 * @param staging takes configuration and files, but not the manifest
 * @returns the artifact as a member of a list
 * @throws BunkerError as `openFile`, `digest_mismatch` when a file changes meanwhile, `no_space`
 */
export async function makeArtifact(
  { files, type, layerType, configuration, configurationType, hasTitles, subject }: ArtifactParts,
  staging: BlobStaging,
  signal: AbortSignal,
): Promise<FoundMember> {
  const stage = async (path: string, mediaType: string) => ({ mediaType, ...(await stageFile(path, staging, signal)) });
  const config =
    configuration === undefined
      ? stageEmpty(configurationType ?? EMPTY_TYPE, staging)
      : await stage(configuration, configurationType ?? OCI_CONFIGURATION);
  const layers = [];
  for (const path of files) {
    const layer = await stage(path, layerType ?? mediaTypeOf(path));
    layers.push(hasTitles ? { ...layer, annotations: { [TITLE]: basename(path) } } : layer);
  }
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: type, config, layers, subject };
  const bytes = Buffer.from(JSON.stringify(document));
  const manifest = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
  const member = { mediaType: OCI_MANIFEST, digest: manifest.digest, size: bytes.length, artifactType: type };
  return { manifest, repository: undefined, member };
}

/** As web servers tell it by the name; bytes where the name says nothing. */
function mediaTypeOf(path: string): string {
  return Bun.file(path).type.replace(/;.*/, "");
}

function stageEmpty(mediaType: string, staging: BlobStaging): BlobDescriptor {
  const digest = digestOf(EMPTY);
  staging.put({ digest }, EMPTY);
  return { mediaType, digest, size: EMPTY.length };
}

async function stageFile(
  path: string,
  staging: BlobStaging,
  signal: AbortSignal,
): Promise<Pick<BlobDescriptor, "digest" | "size">> {
  const size = sizeOf(path);
  const hasher = new DigestHasher("sha256");
  const read = (offset?: number) => streamBlob({ path, offset: 0, size }, signal, offset);
  for await (const piece of read()) hasher.update(piece);
  const blob = { mediaType: "", digest: hasher.finish(), size };
  if (!staging.has(blob)) await staging.receive(blob, read, { signal, onProgress: () => undefined }).arrival;
  return { digest: blob.digest, size };
}

function sizeOf(path: string): number {
  using file = openFile(path, path);
  return file.size;
}
