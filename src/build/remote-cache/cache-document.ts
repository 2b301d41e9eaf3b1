/*
 * The documents of a build cache that is kept elsewhere, in BuildKit's form (docs/dev/cache-format, "v0").
 *
 * The configuration, of the media type below, has two lists. `layers` names the layers' blobs, each with the place in the
 * list of the one that it lies on, -1 for none; `records` says by which keys steps are known, and which layer each of them
 * has come to:
 *
 *   {"layers":  [{"blob": "sha256:…", "parent": -1}, {"blob": "sha256:…", "parent": 0}],
 *    "records": [{"digest": "sha256:…", "layers": [{"layer": 1, "createdAt": "2026-…"}]}]}
 *
 * Configuration and blobs are held together by the manifest of an image, or by an index (`image-manifest=false`), whose
 * entries are then blobs. Annotations of the blobs' descriptors say what their archives' digests and times are. Inside an
 * image (`type=inline`) there are only the records, base64-encoded in a member of its configuration, and the layers are
 * the image's own, each on the one before.
 *
 * What a key is belongs to whoever computes it: records of BuildKit's have keys that no step of Bunker has, and the other
 * way round, so both can read each other's caches and find nothing in them.
 */
import * as v from "valibot";
import { type Digest, digestSchema } from "../../image/digest.ts";
import { invalidDocument } from "../../image/documents.ts";

/** The media type of a cache's configuration. */
export const CACHE_CONFIGURATION = "application/vnd.buildkit.cacheconfig.v0";
/** The member of an image's configuration that has the records of a cache inside it. */
export const INLINE_MEMBER = "moby.buildkit.cache.v0";
/** Annotations of a layer's descriptor: the digest of its archive, and when it was made. */
export const DIFF_ID_ANNOTATION = "containerd.io/uncompressed";
export const CREATED_ANNOTATION = "buildkit/createdat";

/** By which key a step is known, and the place of the layer that it has come to. */
export interface CacheRecord {
  readonly key: Digest;
  readonly layer: number;
  /** As RFC 3339 has it. */
  readonly created: string;
}

/** A layer's blob, and the place of the layer below it; -1 for none. */
export interface CacheBlob {
  readonly blob: Digest;
  readonly parent: number;
}

const place = v.pipe(v.number(), v.safeInteger());

const recordSchema = v.object({
  digest: digestSchema,
  layers: v.nullish(v.array(v.object({ layer: v.nullish(place, 0), createdAt: v.nullish(v.string(), "") })), []),
});

const configurationSchema = v.object({
  // Go leaves out what is zero.
  layers: v.nullish(v.array(v.object({ blob: digestSchema, parent: v.nullish(place, 0) })), []),
  records: v.nullish(v.array(recordSchema), []),
});

/** Writes a configuration. */
export function formatCacheConfiguration(layers: readonly CacheBlob[], records: readonly CacheRecord[]): Buffer {
  return Buffer.from(JSON.stringify({ layers, records: records.map(writtenRecord) }));
}

/** Writes the records of a cache inside an image, as the member of its configuration has them. */
export function formatInlineRecords(records: readonly CacheRecord[]): string {
  return Buffer.from(JSON.stringify(records.map(writtenRecord))).toString("base64");
}

function writtenRecord({ key, layer, created }: CacheRecord) {
  return { layers: [{ layer, createdAt: created }], digest: key };
}

/**
 * Reads a configuration.
 * @param name of the cache, for messages
 * @throws BunkerError `image_invalid`
 */
export function parseCacheConfiguration(
  bytes: Buffer,
  name: string,
): { readonly layers: readonly CacheBlob[]; readonly records: readonly CacheRecord[] } {
  const { layers, records } = parse(configurationSchema, bytes, name);
  return { layers, records: readRecords(records) };
}

/**
 * Reads the records inside an image.
 * @param text the member of its configuration
 * @throws BunkerError `image_invalid`
 */
export function parseInlineRecords(text: string, name: string): readonly CacheRecord[] {
  return readRecords(parse(v.array(recordSchema), Buffer.from(text, "base64"), name));
}

function readRecords(records: readonly v.InferOutput<typeof recordSchema>[]): readonly CacheRecord[] {
  return records.flatMap(({ digest, layers }) =>
    layers.map(({ layer, createdAt }) => ({ key: digest, layer, created: createdAt })),
  );
}

function parse<Schema extends v.GenericSchema>(schema: Schema, bytes: Buffer, name: string): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw invalidDocument(`the cache of ${name}`, "it is not JSON", cause);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalidDocument(`the cache of ${name}`, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}
