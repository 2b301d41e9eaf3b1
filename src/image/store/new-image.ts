import { streamBlob } from "../blob-stream.ts";
import { digestOf } from "../digest.ts";
import type { Descriptor } from "../documents.ts";
import { DOCKER_MANIFEST, OCI_CONFIGURATION, OCI_MANIFEST } from "../media-types.ts";
import { manifestOf } from "../transport/manifest.ts";
import { dockerMediaType, ociMediaType } from "../transport/manifest-conversion.ts";
import type { ImageReader } from "../transport/transport.ts";

/** A packed layer and the file that it is in. */
export interface LayerFile extends Pick<Descriptor, "mediaType" | "digest" | "size"> {
  readonly path: string;
}

/** An image that has just been made. */
export interface NewImageParts {
  /** For messages. */
  readonly name: string;
  /** The bytes of its configuration. */
  readonly configuration: Buffer;
  /** From the lowest to the uppermost. */
  readonly layers: readonly LayerFile[];
  /** Whose media types its manifest has. */
  readonly format: "oci" | "docker";
}

/** An image of its parts, to be brought into the store. */
export function readerOfNewImage({ name, configuration, layers, format }: NewImageParts): ImageReader {
  const [convert, mediaType] =
    format === "oci" ? ([ociMediaType, OCI_MANIFEST] as const) : ([dockerMediaType, DOCKER_MANIFEST] as const);
  const config = {
    mediaType: convert(OCI_CONFIGURATION),
    digest: digestOf(configuration),
    size: configuration.length,
  };
  const descriptors = layers.map(({ mediaType, digest, size }) => ({ mediaType: convert(mediaType), digest, size }));
  const document = { schemaVersion: 2, mediaType, config, layers: descriptors };
  const manifest = manifestOf({ mediaType }, Buffer.from(JSON.stringify(document)), name);
  return {
    name,
    readManifest: async () => manifest,
    async *readBlob(descriptor, { signal, offset = 0 }) {
      const layer = layers.find(({ digest }) => digest === descriptor.digest);
      if (layer === undefined) yield configuration.subarray(offset);
      else yield* streamBlob({ path: layer.path, offset: 0, size: layer.size }, signal, offset, layer.digest);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
