/*
 * What a manifest says of itself and what it names. The descriptor that led to a manifest has its media type; where
 * it has none (a Docker registry's old answers, hand-made layouts), the document itself says it, and otherwise its
 * shape does.
 */
import * as v from "valibot";
import { type Digest, digestOf } from "../digest.ts";
import { type Descriptor, invalidDocument, parseDocument } from "../documents.ts";
import { INDEX_MEDIA_TYPE, isIndex, isManifest, OCI_MANIFEST } from "../media-types.ts";
import type { Manifest } from "./transport.ts";

const shape = v.looseObject({ mediaType: v.optional(v.string()), manifests: v.optional(v.unknown()) });

/**
 * Makes a manifest of its bytes.
 * @param known what is known of it from where it was named
 * @param name of the image, for messages
 * @throws BunkerError `image_invalid` when it is neither a manifest nor an index of a kind that is known
 */
export function manifestOf(
  known: { readonly mediaType: string; readonly digest?: Digest },
  bytes: Buffer,
  name: string,
): Manifest {
  const digest = known.digest ?? digestOf(bytes);
  const mediaType = known.mediaType || ownMediaType(bytes, `manifest ${digest} of ${name}`);
  if (!isIndex(mediaType) && !isManifest(mediaType)) {
    throw invalidDocument(
      `manifest ${digest} of ${name}`,
      `its media type ${JSON.stringify(mediaType)} is not supported`,
    );
  }
  return { mediaType, digest, bytes };
}

function ownMediaType(bytes: Buffer, name: string): string {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw invalidDocument(name, "it is not JSON", cause);
  }
  const parsed = v.safeParse(shape, document);
  if (!parsed.success) throw invalidDocument(name, "it is no manifest");
  return parsed.output.mediaType ?? (parsed.output.manifests === undefined ? OCI_MANIFEST : INDEX_MEDIA_TYPE);
}

/**
 * The blobs of an image's manifest, each once: its configuration first, then the layers from the lowest.
 * @throws BunkerError `image_invalid`
 */
export function blobsOf(manifest: Manifest, name: string): Descriptor[] {
  const { config, layers } = parseDocument("manifest", manifest.bytes, `manifest ${manifest.digest} of ${name}`);
  return [...new Map([config, ...layers].map((descriptor) => [descriptor.digest, descriptor])).values()];
}
