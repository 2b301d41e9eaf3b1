/*
 * What refers to an image: signatures, attestations and other artifacts that name it as their `subject`; OCI
 * distribution specification, "Listing referrers". Registries that do not know this leave it to clients to keep the
 * list, as an index under a tag that is the image's digest: `sha256-<hex>`.
 */
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { type Digest, digestOf, digestSchema, splitDigest } from "../digest.ts";
import { invalidDocument, MAXIMUM_DOCUMENT_SIZE } from "../documents.ts";
import { INDEX_MEDIA_TYPE } from "../media-types.ts";
import type { Manifest } from "../transport/transport.ts";
import { pullScope, putManifest, readManifest } from "./manifests.ts";
import { nextPage } from "./pagination.ts";
import type { Repository } from "./registries.ts";

const referrer = v.object({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  artifactType: v.nullish(v.string()),
  annotations: v.nullish(v.record(v.string(), v.string())),
});

/** An artifact that refers to an image. */
export type Referrer = v.InferOutput<typeof referrer>;

const referrerIndex = v.pipe(
  v.string(),
  v.parseJson(undefined, "it is not JSON"),
  v.object({ schemaVersion: v.literal(2), manifests: v.nullish(v.array(referrer), []) }),
);

const referring = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    subject: v.nullish(v.object({ digest: digestSchema })),
    artifactType: v.nullish(v.string()),
    annotations: v.nullish(v.record(v.string(), v.string())),
    config: v.nullish(v.object({ mediaType: v.nullish(v.string()) })),
  }),
);

/**
 * Lists what refers to an image.
 * @param artifactType only artifacts of this type; all unless given
 * @throws BunkerError `image_invalid` and what `RegistryClient` can meet
 */
export async function listReferrers(
  repository: Repository,
  digest: Digest,
  name: string,
  signal: AbortSignal,
  artifactType?: string,
): Promise<readonly Referrer[]> {
  const { client, path } = repository;
  const found: Referrer[] = [];
  const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType })}`;
  let target: string | URL | undefined = `${path}/referrers/${digest}${query}`;
  while (target !== undefined) {
    const { response, bytes } = await client.read(
      {
        method: "GET",
        target,
        headers: { accept: INDEX_MEDIA_TYPE },
        scopes: [pullScope(path)],
        expected: [200, 404],
        operation: "list what refers to",
        object: name,
        signal,
      },
      MAXIMUM_DOCUMENT_SIZE,
    );
    const isKnown =
      response.status === 200 && response.headers.get("content-type")?.startsWith(INDEX_MEDIA_TYPE) === true;
    if (!isKnown) {
      found.push(...(await taggedReferrers(repository, digest, name, signal)));
      break;
    }
    found.push(...parseReferrers(bytes, name));
    target = nextPage(response);
  }
  return artifactType === undefined ? found : found.filter((each) => each.artifactType === artifactType);
}

/**
 * Adds a manifest that has a subject to the list under the subject's tag; does nothing for one without.
 * @throws BunkerError as `listReferrers`
 */
export async function addReferrer(
  repository: Repository,
  manifest: Manifest,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const content = v.safeParse(referring, manifest.bytes.toString("utf8"));
  const subject = content.success ? content.output.subject?.digest : undefined;
  if (!content.success || subject === undefined) return;
  const others = await taggedReferrers(repository, subject, name, signal);
  if (others.some(({ digest }) => digest === manifest.digest)) return;
  const { annotations, artifactType, config } = content.output;
  const own = {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    artifactType: artifactType ?? config?.mediaType ?? undefined,
    annotations: annotations ?? undefined,
  };
  const list = { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [...others, own] };
  const bytes = Buffer.from(JSON.stringify(list));
  const index: Manifest = { mediaType: INDEX_MEDIA_TYPE, digest: digestOf(bytes), bytes };
  await putManifest(repository, index, referrersTag(subject), name, signal);
}

/** The list that clients keep. */
async function taggedReferrers(
  repository: Repository,
  digest: Digest,
  name: string,
  signal: AbortSignal,
): Promise<readonly Referrer[]> {
  try {
    const { bytes } = await readManifest(repository, referrersTag(digest), name, signal);
    return parseReferrers(bytes, name);
  } catch (error) {
    if (error instanceof BunkerError && error.code === "image_not_found") return [];
    throw error;
  }
}

function referrersTag(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`;
}

function parseReferrers(bytes: Buffer | undefined, name: string): readonly Referrer[] {
  const what = `the list of what refers to ${name}`;
  if (bytes === undefined) throw invalidDocument(what, "it has more than 4 MiB");
  const result = v.safeParse(referrerIndex, bytes.toString("utf8"));
  if (!result.success) throw invalidDocument(what, result.issues[0].message);
  return result.output.manifests;
}
