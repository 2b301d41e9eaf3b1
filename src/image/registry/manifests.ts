/** Manifests and indexes of a registry; OCI distribution specification, "Pulling manifests", "Pushing manifests". */
import { BunkerError } from "../../sys/error.ts";
import { verifyDigest } from "../blob.ts";
import { type Digest, digestOf, splitDigest } from "../digest.ts";
import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "../documents.ts";
import { DOCKER_MANIFEST, DOCKER_MANIFEST_LIST, INDEX_MEDIA_TYPE, OCI_MANIFEST } from "../media-types.ts";
import type { Manifest } from "../transport/transport.ts";
import type { HttpResponse } from "./http/http-client.ts";
import type { Repository } from "./registries.ts";

/** What Bunker understands; OCI and Docker's own forms. */
const MANIFEST_TYPES: readonly string[] = [INDEX_MEDIA_TYPE, OCI_MANIFEST, DOCKER_MANIFEST_LIST, DOCKER_MANIFEST];

const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

/**
 * Reads a manifest or index.
 * @param at a tag or a digest
 * @param name of the image, for messages
 * @returns what the registry has, its digest verified
 * @throws BunkerError `image_not_found`, `image_invalid`, `image_unsupported`, `digest_mismatch`, and what
 *   `RegistryClient` can meet
 */
export async function readManifest(
  { client, path }: Repository,
  at: string,
  name: string,
  signal: AbortSignal,
): Promise<Manifest> {
  const what = `the manifest of ${name}`;
  const { response, bytes } = await client.read(
    {
      method: "GET",
      target: `${path}/manifests/${at}`,
      headers: { accept: MANIFEST_TYPES.join(", ") },
      scopes: [pullScope(path)],
      expected: [200],
      operation: "read the manifest of",
      object: name,
      signal,
      missingHint: missingHint(`${client.registry}/${path}`, at),
    },
    MAXIMUM_DOCUMENT_SIZE,
  );
  if (bytes === undefined) throw invalidDocument(what, "it has more than 4 MiB");
  const stated = statedDigest(response);
  const wanted = at.includes(":") ? (at as Digest) : stated;
  if (wanted !== undefined) verifyDigest(bytes, wanted, what);
  return { mediaType: mediaTypeOf(bytes, response, what), digest: wanted ?? digestOf(bytes), bytes };
}

/** What to do about a manifest that is not there; the repository's full name tells what a short one was taken for. */
function missingHint(repository: string, at: string): string {
  if (at.includes(":")) return `Check the digest and the name, ${repository}`;
  return `Check the name and the tag (bunker search --list-tags ${repository})`;
}

/**
 * Writes a manifest or index, after all that it names.
 * @param at a tag or a digest
 * @returns whether the registry says that it has put the manifest on the list of what refers to its subject
 * @throws BunkerError `digest_mismatch` and what `RegistryClient` can meet
 */
export async function putManifest(
  { client, path }: Repository,
  manifest: Manifest,
  at: string,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly knowsReferrers: boolean }> {
  const { bytes, mediaType, digest } = manifest;
  const response = await client.send({
    method: "PUT",
    target: `${path}/manifests/${at}`,
    headers: { "content-type": mediaType },
    body: {
      length: bytes.length,
      async *open() {
        yield bytes;
      },
    },
    scopes: [pushScope(path)],
    expected: [201, 200, 202],
    operation: "write the manifest of",
    object: name,
    signal,
  });
  await response.discard();
  const stored = statedDigest(response);
  if (stored !== undefined && stored !== digest && splitDigest(stored).algorithm === splitDigest(digest).algorithm) {
    const reason = `the registry has stored it as ${stored} instead of ${digest}`;
    throw new BunkerError({ code: "digest_mismatch", operation: "write the manifest of", object: name, reason });
  }
  return { knowsReferrers: response.headers.has("oci-subject") };
}

/** What a token has to be good for to pull from a repository. */
export function pullScope(path: string): string {
  return `repository:${path}:pull`;
}

/** What a token has to be good for to push to a repository. */
export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/** The digest that the registry says the manifest has; one of an algorithm that is not known counts as none. */
function statedDigest({ headers }: HttpResponse): Digest | undefined {
  const stated = headers.get("docker-content-digest") ?? "";
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(stated) ? (stated as Digest) : undefined;
}

/** The document's own word on what it is, or else the registry's. */
function mediaTypeOf(bytes: Buffer, { headers }: HttpResponse, what: string): string {
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    const [stated = ""] = (headers.get("content-type") ?? "").split(";");
    throw invalidDocument(what, stated === "text/html" ? "it is not JSON but a web page" : "it is not JSON", cause);
  }
  const own = memberOf(content, "mediaType");
  const [stated = ""] = (headers.get("content-type") ?? "").split(";");
  const mediaType = typeof own === "string" && own !== "" ? own : stated.trim();
  if (memberOf(content, "schemaVersion") === 1 || SCHEMA_1.test(mediaType)) {
    throw unsupported(what, "it is in Docker's schema 1, which was given up in 2017", "Push the image again.");
  }
  if (MANIFEST_TYPES.includes(mediaType)) return mediaType;
  // Old registries answer with types of their own; the form tells what it is.
  if (Array.isArray(memberOf(content, "manifests"))) return INDEX_MEDIA_TYPE;
  if (memberOf(content, "config") !== undefined) return OCI_MANIFEST;
  throw unsupported(what, `its media type is ${JSON.stringify(mediaType)}, which is no image`);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function unsupported(object: string, reason: string, hint?: string): BunkerError {
  return new BunkerError({ code: "image_unsupported", operation: "read", object, reason, hint });
}
