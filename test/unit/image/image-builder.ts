import { mkdirSync, writeFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Digest, digestOf } from "../../../src/image/digest.ts";

export interface PackedLayer {
  readonly diffId: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export type Compression = "none" | "gzip" | "zstd";

const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const CONFIGURATION_TYPE = "application/vnd.oci.image.config.v1+json";

export interface DescriptorJson {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

export function pack(archive: Buffer, compression: Compression = "none"): PackedLayer {
  const diffId = digestOf(archive);
  if (compression === "gzip") return { diffId, mediaType: `${OCI_LAYER}+gzip`, bytes: gzipSync(archive, { level: 1 }) };
  if (compression === "zstd") return { diffId, mediaType: `${OCI_LAYER}+zstd`, bytes: zstdCompressSync(archive) };
  return { diffId, mediaType: OCI_LAYER, bytes: archive };
}

export function writeBlob(directory: string, bytes: Buffer | string, mediaType: string): DescriptorJson {
  const digest = digestOf(bytes);
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  writeFileSync(`${directory}/blobs/${digest.replace(":", "/")}`, bytes);
  return { mediaType, digest, size: Buffer.byteLength(bytes) };
}

export function writeJson(directory: string, value: unknown, mediaType: string): DescriptorJson {
  return writeBlob(directory, JSON.stringify(value), mediaType);
}

export function configuration(layers: readonly PackedLayer[], more: object = {}): object {
  return {
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    ...more,
  };
}

/** Writes an image's blobs, and returns the descriptor of its manifest. */
export function writeImage(directory: string, layers: readonly PackedLayer[], more: object = {}): DescriptorJson {
  const config = writeJson(directory, configuration(layers, more), CONFIGURATION_TYPE);
  const descriptors = layers.map(({ bytes, mediaType }) => writeBlob(directory, bytes, mediaType));
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: descriptors };
  return writeJson(directory, manifest, MANIFEST_TYPE);
}

export function tagged(descriptor: DescriptorJson, tag: string): DescriptorJson {
  return { ...descriptor, annotations: { "org.opencontainers.image.ref.name": tag } };
}

/** Writes the files that make a directory an image layout. */
export function writeLayout(directory: string, manifests: readonly DescriptorJson[]): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(`${directory}/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
}

/** An image layout with one image of these archives. */
export function makeImage(directory: string, archives: readonly Buffer[], compression: Compression = "none"): void {
  const layers = archives.map((bytes) => pack(bytes, compression));
  writeLayout(directory, [writeImage(directory, layers)]);
}
