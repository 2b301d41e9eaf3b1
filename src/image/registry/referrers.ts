/*
 * What refers to an image: signatures, attestations and other artifacts that name it as their `subject`; OCI
 * distribution specification, "Listing referrers". Registries that do not know this leave it to clients to keep the
 * list, as an index under a tag that is the image's digest: `sha256-<hex>`.
 */
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { type Digest, digestOf, digestSchema, splitDigest } from "../digest.ts";
import { invalidDocument } from "../documents.ts";
import { INDEX_MEDIA_TYPE } from "../media-types.ts";
import type { Manifest } from "../transport/transport.ts";
import { pullScope, putManifest, readManifest } from "./manifests.ts";
import { readPages } from "./pagination.ts";
import type { Repository } from "./registries.ts";

/** What is not understood of a list stays in it when something is added. */
const referrer = v.looseObject({
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
  v.looseObject({ schemaVersion: v.literal(2), manifests: v.nullish(v.array(referrer), []) }),
);

type ReferrerIndex = v.InferOutput<typeof referrerIndex>;

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
  const request = {
    method: "GET",
    target: `${path}/referrers/${digest}${query}`,
    headers: { accept: INDEX_MEDIA_TYPE },
    scopes: [pullScope(path)],
    expected: [200, 404],
    operation: "list what refers to",
    object: name,
    signal,
  };
  for await (const { response, bytes } of readPages(client, nameOfList(name), request)) {
    const isKnown =
      response.status === 200 && response.headers.get("content-type")?.startsWith(INDEX_MEDIA_TYPE) === true;
    const list = isKnown ? parseReferrers(bytes, name) : await taggedReferrers(repository, digest, name, signal);
    found.push(...(list?.manifests ?? []));
    if (!isKnown) break;
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
  const present = await taggedReferrers(repository, subject, name, signal);
  const others = present?.manifests ?? [];
  if (others.some(({ digest }) => digest === manifest.digest)) return;
  const { annotations, artifactType, config } = content.output;
  const own = {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    artifactType: artifactType ?? config?.mediaType ?? undefined,
    annotations: annotations ?? undefined,
  };
  const list = { ...present, schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: [...others, own] };
  const bytes = Buffer.from(JSON.stringify(list));
  const index: Manifest = { mediaType: INDEX_MEDIA_TYPE, digest: digestOf(bytes), bytes };
  await putManifest(repository, index, referrersTag(subject), name, signal);
}

/** The list that clients keep; undefined when there is none. */
async function taggedReferrers(
  repository: Repository,
  digest: Digest,
  name: string,
  signal: AbortSignal,
): Promise<ReferrerIndex | undefined> {
  try {
    const { bytes } = await readManifest(repository, referrersTag(digest), name, signal);
    return parseReferrers(bytes, name);
  } catch (error) {
    if (error instanceof BunkerError && error.code === "image_not_found") return undefined;
    throw error;
  }
}

function referrersTag(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`;
}

function nameOfList(name: string): string {
  return `the list of what refers to ${name}`;
}

function parseReferrers(bytes: Buffer, name: string): ReferrerIndex {
  const result = v.safeParse(referrerIndex, bytes.toString("utf8"));
  if (!result.success) throw invalidDocument(nameOfList(name), result.issues[0].message);
  return result.output;
}
