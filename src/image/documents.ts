/*
 * The JSON documents of an image: OCI image specification (index, manifest, configuration) and the manifest.json of
 * `docker save`. They are foreign: what is wrong in them is said with the path to it, what is not listed is ignored.
 * Go writes empty lists and maps as null, so null is the same as absence everywhere.
 */
import * as v from "valibot";
import { lazily } from "../lazily.ts";
import { BunkerError } from "../sys/error.ts";
import { digestSchema } from "./digest.ts";

/** Bytes that a JSON document may have. */
export const MAXIMUM_DOCUMENT_SIZE = 4 << 20;

/** Most of it ends up with the kernel, where a NUL would end it early. */
const text = v.pipe(
  v.string(),
  v.check((value) => !value.includes("\0"), "it contains a NUL character"),
);
const texts = v.array(text);
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const textMap = v.record(text, text);
/** A set in the form of Go's `map[string]struct{}`. */
const set = v.pipe(
  v.record(text, v.nullish(v.looseObject({}))),
  v.transform((members) => Object.keys(members)),
);

const platform = v.pipe(
  v.object({ os: text, architecture: text, variant: v.nullish(text) }),
  v.transform(({ os, architecture, variant }) => ({ os, architecture, variant: variant || undefined })),
);

const descriptor = v.object({
  mediaType: v.nullish(text, ""),
  digest: digestSchema,
  size,
  platform: v.nullish(platform),
  annotations: v.nullish(textMap, {}),
});

/** A reference to a blob: media type, digest, size in bytes. */
export type Descriptor = v.InferOutput<typeof descriptor>;

/** What the other of the two kinds has. A document that could be taken for either means one thing here, another there. */
const ofOtherKind = (kind: string) =>
  v.nullish(
    v.pipe(
      v.unknown(),
      v.check(
        (value) => Array.isArray(value) && value.length === 0,
        `${kind} has none; it could be taken for either kind`,
      ),
    ),
  );

const index = lazily(() =>
  v.object({
    schemaVersion: v.literal(2),
    manifests: v.nullish(v.array(descriptor), []),
    config: ofOtherKind("an index"),
    layers: ofOtherKind("an index"),
  }),
);

/** An OCI image index, or a Docker manifest list. */
export type Index = v.InferOutput<ReturnType<typeof index>>;

const manifest = lazily(() =>
  v.object({
    schemaVersion: v.literal(2),
    mediaType: v.nullish(text),
    artifactType: v.nullish(text),
    config: descriptor,
    layers: v.nullish(v.array(descriptor), []),
    manifests: ofOtherKind("a manifest"),
  }),
);

const nanoseconds = v.nullish(v.pipe(v.number(), v.safeInteger()));

/** An OCI image manifest, or Docker's of schema 2. */
export type ManifestDocument = v.InferOutput<ReturnType<typeof manifest>>;

const imageConfiguration = lazily(() =>
  v.pipe(
    v.object({
      os: v.nullish(text, ""),
      architecture: v.nullish(text, ""),
      variant: v.nullish(text),
      created: v.nullish(text),
      rootfs: v.object({ type: v.literal("layers"), diff_ids: v.nullish(v.array(digestSchema), []) }),
      config: v.nullish(
        v.object({
          User: v.nullish(text, ""),
          ExposedPorts: v.nullish(set, {}),
          Env: v.nullish(texts, []),
          Entrypoint: v.nullish(texts, []),
          Cmd: v.nullish(texts, []),
          Volumes: v.nullish(set, {}),
          WorkingDir: v.nullish(text, ""),
          Labels: v.nullish(textMap, {}),
          StopSignal: v.nullish(text),
          Healthcheck: v.nullish(
            v.object({
              Test: v.nullish(texts, []),
              Interval: nanoseconds,
              Timeout: nanoseconds,
              StartPeriod: nanoseconds,
              StartInterval: nanoseconds,
              Retries: v.nullish(size),
            }),
          ),
          Shell: v.nullish(texts, []),
        }),
        {},
      ),
    }),
    v.transform(({ config, rootfs, os, architecture, variant, created }) => ({
      platform: { os: os || "linux", architecture, variant: variant || undefined },
      created: created ?? undefined,
      diffIds: rootfs.diff_ids,
      user: config.User,
      exposedPorts: config.ExposedPorts,
      environment: config.Env,
      entrypoint: config.Entrypoint,
      command: config.Cmd,
      volumes: config.Volumes,
      workingDirectory: config.WorkingDir,
      labels: config.Labels,
      stopSignal: config.StopSignal || undefined,
      healthcheck: config.Healthcheck ?? undefined,
      shell: config.Shell,
    })),
  ),
);

/** What an image says about itself: OCI image configuration, with Docker's `Healthcheck` and `Shell`. */
export type ImageConfiguration = Readonly<v.InferOutput<ReturnType<typeof imageConfiguration>>>;

/** What an image tells people only. */
const imageDetails = lazily(() =>
  v.pipe(
    v.object({
      author: v.nullish(text, ""),
      comment: v.nullish(text, ""),
      docker_version: v.nullish(text, ""),
      "os.version": v.nullish(text, ""),
      config: v.nullish(v.object({ OnBuild: v.nullish(texts, []), ArgsEscaped: v.nullish(v.boolean(), false) }), {}),
      history: v.nullish(
        v.array(
          v.object({
            created: v.nullish(text),
            created_by: v.nullish(text, ""),
            comment: v.nullish(text, ""),
            empty_layer: v.nullish(v.boolean(), false),
          }),
        ),
        [],
      ),
    }),
    v.transform(({ author, comment, docker_version, config, history, "os.version": osVersion }) => ({
      author,
      comment,
      dockerVersion: docker_version,
      osVersion,
      onBuild: config.OnBuild ?? [],
      argumentsEscaped: config.ArgsEscaped ?? false,
      history: history.map(({ created, created_by, comment, empty_layer }) => ({
        created: created ?? undefined,
        createdBy: created_by,
        comment,
        isEmptyLayer: empty_layer,
      })),
    })),
  ),
);

/** What an image tells people only: who made it, and how. */
export type ImageDetails = Readonly<v.InferOutput<ReturnType<typeof imageDetails>>>;

const dockerManifest = lazily(() =>
  v.array(v.object({ Config: text, RepoTags: v.nullish(texts, []), Layers: v.nullish(texts, []) })),
);

/** The manifest.json of `docker save`. */
export type DockerManifest = v.InferOutput<ReturnType<typeof dockerManifest>>;

const layout = lazily(() => v.object({ imageLayoutVersion: v.pipe(text, v.regex(/^1\./, "expected version 1")) }));

const documents = { index, manifest, imageConfiguration, imageDetails, dockerManifest, layout } as const;

/**
 * Parses a document.
 * @param bytes JSON in UTF-8
 * @param name what is being read, for messages: `index.json of oci:/images/x`
 * @throws BunkerError `image_invalid` with the path of the first thing that is wrong
 */
export function parseDocument<Kind extends keyof typeof documents>(
  kind: Kind,
  bytes: Buffer,
  name: string,
): v.InferOutput<ReturnType<(typeof documents)[Kind]>> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw invalidDocument(name, "it is not JSON", cause);
  }
  const result = v.safeParse(documents[kind](), value);
  if (result.success) return result.output as v.InferOutput<ReturnType<(typeof documents)[Kind]>>;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw invalidDocument(name, path === null ? issue.message : `${path}: ${issue.message}`);
}

/** An image of which a part is not as it must be. */
export function invalidDocument(name: string, reason: string, cause?: unknown): BunkerError {
  return new BunkerError({ code: "image_invalid", operation: "read", object: name, reason }, { cause });
}
