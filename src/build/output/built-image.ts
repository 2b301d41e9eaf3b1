import { streamBlob } from "../../image/blob-stream.ts";
import { type Digest, digestOf } from "../../image/digest.ts";
import { DOCKER_MANIFEST, INDEX_MEDIA_TYPE, OCI_CONFIGURATION, OCI_MANIFEST } from "../../image/media-types.ts";
import type { Platform } from "../../image/platform.ts";
import { manifestOf } from "../../image/transport/manifest.ts";
import { dockerMediaType, ociMediaType } from "../../image/transport/manifest-conversion.ts";
import type { ImageReader, Manifest } from "../../image/transport/transport.ts";
import type { PackedLayer } from "./packed-layers.ts";

const ATTESTATION_LAYER = "application/vnd.in-toto+json";

/** An image as the build has made it. */
export interface BuiltImage {
  readonly platform: Platform;
  /** The bytes of its configuration. */
  readonly configuration: Buffer;
  /** From the lowest to the uppermost. */
  readonly layers: readonly PackedLayer[];
  /** What is said about it beside it: statements of in-toto, by their predicate types. */
  readonly statements: ReadonlyMap<string, (manifest: Digest) => Buffer>;
}

/** How its manifest is written. */
export interface ManifestForm {
  readonly mediaTypes: "oci" | "docker";
  readonly annotations: Readonly<Record<string, string>>;
  /** Whether also one image is in an index. */
  readonly isIndex: boolean;
  readonly indexAnnotations: Readonly<Record<string, string>>;
}

interface Blob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** A built image to be copied to wherever it is wanted. */
export interface BuiltImageReader extends ImageReader {
  /** What its name stands for. */
  readonly root: Manifest;
  /** Of its configuration: what Docker calls its id. */
  readonly configuration: Blob;
}

/**
 * Makes the manifests of built images. One image without statements is a manifest alone; otherwise there is an index, in
 * which statements are manifests of their own, as BuildKit has them.
 * @param name for messages
 */
export function readerOfBuiltImages(
  name: string,
  images: readonly [BuiltImage, ...BuiltImage[]],
  form: ManifestForm,
): BuiltImageReader {
  const documents = new Map<Digest, Buffer>();
  const files = new Map<Digest, PackedLayer>();
  const manifests = new Map<Digest, Manifest>();
  const put = (mediaType: string, bytes: Buffer): Blob => {
    const digest = digestOf(bytes);
    documents.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const seal = (mediaType: string, document: object): Manifest => {
    const manifest = manifestOf({ mediaType }, Buffer.from(JSON.stringify(document)), name);
    manifests.set(manifest.digest, manifest);
    return manifest;
  };
  const isOci = form.mediaTypes === "oci";
  const convert = isOci ? ociMediaType : dockerMediaType;
  const mediaType = isOci ? OCI_MANIFEST : DOCKER_MANIFEST;
  const configurations: Blob[] = [];
  const entries = images.flatMap(({ platform, configuration, layers, statements }) => {
    const config = put(convert(OCI_CONFIGURATION), configuration);
    configurations.push(config);
    for (const layer of layers) files.set(layer.digest, layer);
    const manifest = seal(mediaType, {
      schemaVersion: 2,
      mediaType,
      config,
      layers: layers.map(({ mediaType: type, digest, size }) => ({ mediaType: convert(type), digest, size })),
      ...annotationsMember(form.annotations),
    });
    const entry = { ...describe(manifest), platform: platformMember(platform) };
    if (statements.size === 0) return [entry];
    const statementLayers = [...statements].map(([predicate, write]) => ({
      ...put(ATTESTATION_LAYER, write(manifest.digest)),
      annotations: { "in-toto.io/predicate-type": predicate },
    }));
    const attestation = seal(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: put(
        OCI_CONFIGURATION,
        Buffer.from(
          JSON.stringify({
            architecture: "unknown",
            os: "unknown",
            config: {},
            rootfs: { type: "layers", diff_ids: statementLayers.map(({ digest }) => digest) },
          }),
        ),
      ),
      layers: statementLayers,
    });
    return [
      entry,
      {
        ...describe(attestation),
        platform: { architecture: "unknown", os: "unknown" },
        annotations: {
          "vnd.docker.reference.type": "attestation-manifest",
          "vnd.docker.reference.digest": manifest.digest,
        },
      },
    ];
  });
  const [first] = entries;
  const [configuration] = configurations;
  if (first === undefined || configuration === undefined) throw new Error("a build without an image");
  const needsIndex = form.isIndex || entries.length > 1 || Object.keys(form.indexAnnotations).length > 0;
  const root = needsIndex
    ? seal(INDEX_MEDIA_TYPE, {
        schemaVersion: 2,
        mediaType: INDEX_MEDIA_TYPE,
        manifests: entries,
        ...annotationsMember(form.indexAnnotations),
      })
    : manifests.get(first.digest);
  if (root === undefined) throw new Error("a build without a manifest");
  return {
    name,
    root,
    configuration,
    readManifest: async (descriptor) => {
      const manifest = descriptor === undefined ? root : manifests.get(descriptor.digest);
      if (manifest === undefined) throw new Error(`a built image without the manifest ${descriptor?.digest}`);
      return manifest;
    },
    async *readBlob({ digest }, { signal, offset = 0 }) {
      const file = files.get(digest);
      if (file === undefined) yield (documents.get(digest) ?? Buffer.alloc(0)).subarray(offset);
      else yield* streamBlob({ path: file.path, offset: 0, size: file.size }, signal, offset, digest);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function describe({ mediaType, digest, bytes }: Manifest): Blob {
  return { mediaType, digest, size: bytes.length };
}

function annotationsMember(annotations: Readonly<Record<string, string>>) {
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

function platformMember(platform: Platform) {
  const { os, architecture, variant } = platform;
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}
