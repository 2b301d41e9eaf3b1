/** What tests of writers share. */
import { digestOf } from "../../../../src/image/digest.ts";
import type { Descriptor } from "../../../../src/image/documents.ts";
import { parseReference } from "../../../../src/image/reference.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import type { RegistrySettings } from "../../../../src/image/registry/registry-settings.ts";
import { RegistryWriter } from "../../../../src/image/registry/registry-writer.ts";
import type { ImageReader, Manifest } from "../../../../src/image/transport/transport.ts";
import { CONFIGURATION_TYPE, MANIFEST_TYPE } from "../image-builder.ts";
import { contentsOf, NEVER, SHORT_PATIENCE } from "./reading.ts";

/** An image in memory. */
export function memoryImage(layers: readonly Buffer[], more: object = {}) {
  const configuration = Buffer.from(JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: [] } }));
  const blobs = new Map([configuration, ...layers].map((bytes) => [digestOf(bytes), bytes]));
  const describe = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: describe(configuration, CONFIGURATION_TYPE),
      layers: layers.map((layer) => describe(layer, "application/vnd.oci.image.layer.v1.tar")),
      ...more,
    }),
  );
  const manifest: Manifest = { mediaType: MANIFEST_TYPE, digest: digestOf(bytes), bytes };
  const reader: ImageReader = {
    name: "memory",
    readManifest: async () => manifest,
    async *readBlob({ digest }, { offset = 0 }) {
      const content = blobs.get(digest)?.subarray(offset) ?? Buffer.alloc(0);
      for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
    },
    async [Symbol.asyncDispose]() {},
  };
  return { manifest, reader };
}

/** Opens a name for writing with short waits. */
export function openWriter(name: string, settings: RegistrySettings = {}): RegistryWriter {
  const registries = new Registries({ patience: SHORT_PATIENCE, ...settings }, () => undefined);
  return new RegistryWriter(registries, parseReference(name), NEVER);
}

/** Copies an image; returns which blobs had to be sent, and how many bytes were said to be. */
export async function copy(reader: ImageReader, writer: RegistryWriter) {
  const manifest = await reader.readManifest();
  const sent: Descriptor[] = [];
  let progress = 0;
  const options = { signal: NEVER, onProgress: (bytes: number) => (progress += bytes) };
  for (const descriptor of contentsOf(manifest.bytes)) {
    if (await writer.hasBlob(descriptor, reader)) continue;
    sent.push(descriptor);
    await writer.writeBlob(descriptor, (offset) => reader.readBlob(descriptor, { signal: NEVER, offset }), options);
  }
  await writer.writeManifest(manifest, true);
  await writer.commit();
  return { sent, progress };
}

/** Bytes that nothing else has. */
export function noise(size: number): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(size)));
}
