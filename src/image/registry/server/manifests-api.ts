/** Manifests and referrers of the server; distribution specification, "Pulling manifests", "Listing referrers". */

import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname } from "node:path";
import * as v from "valibot";
import { type Digest, digestOf, digestSchema, splitDigest } from "../../digest.ts";
import { MAXIMUM_DOCUMENT_SIZE } from "../../documents.ts";
import { blobPath } from "../../layout-files.ts";
import { MAXIMUM_DEPTH } from "../../manifest-choice.ts";
import { INDEX_MEDIA_TYPE, isIndex } from "../../media-types.ts";
import { isTag } from "../../reference.ts";
import type { LayoutStaging } from "../../transport/layout-staging.ts";
import { ApiError } from "./api-error.ts";
import { parseDigest } from "./blobs-api.ts";
import type { RegistryContents, ServedManifest } from "./registry-contents.ts";

const named = v.object({
  mediaType: v.nullish(v.string(), ""),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  urls: v.nullish(v.array(v.string()), []),
});

const manifestSchema = v.pipe(
  v.string(),
  v.parseJson(undefined, "it is not JSON"),
  v.object({
    schemaVersion: v.literal(2, "its schema is not version 2"),
    mediaType: v.nullish(v.string()),
    artifactType: v.nullish(v.string()),
    config: v.nullish(named),
    layers: v.nullish(v.array(named), []),
    blobs: v.nullish(v.array(named), []),
    manifests: v.nullish(v.array(named), []),
    subject: v.nullish(named),
    annotations: v.nullish(v.record(v.string(), v.string())),
  }),
);

type ParsedManifest = v.InferOutput<typeof manifestSchema>;

export class ManifestsApi {
  readonly #contents: RegistryContents;
  readonly #staging: LayoutStaging | undefined;

  /** @param staging where manifests grow; undefined where nothing may be written */
  constructor(contents: RegistryContents, staging: LayoutStaging | undefined) {
    this.#contents = contents;
    this.#staging = staging;
  }

  /** `/v2/NAME/manifests/TAG-OR-DIGEST` */
  async manifest(request: IncomingMessage, response: ServerResponse, repository: string, at: string): Promise<void> {
    const digest = at.includes(":") ? parseDigest(at) : undefined;
    if (digest === undefined && !isTag(at)) throw new ApiError("TAG_INVALID", "that is no tag");
    switch (request.method) {
      case "GET":
      case "HEAD": {
        const found = this.#find(repository, digest ?? at);
        response.writeHead(200, {
          "content-length": found.size,
          "content-type": found.mediaType,
          "docker-content-digest": found.digest,
          etag: `"${found.digest}"`,
        });
        response.end(request.method === "HEAD" ? undefined : readFileSync(this.#path(found.digest)));
        return;
      }
      case "PUT":
        return this.#put(request, response, repository, digest ?? at);
      case "DELETE": {
        this.#find(repository, digest ?? at);
        if (digest !== undefined) this.#refuseMember(repository, digest);
        this.#contents.remove(repository, digest === undefined ? { tag: at } : { digest });
        response.writeHead(202, { "content-length": 0 }).end();
        return;
      }
      default:
        throw new ApiError("UNSUPPORTED", "manifests know no such request");
    }
  }

  /** `/v2/NAME/referrers/DIGEST` */
  referrers(repository: string, digestText: string, url: URL, response: ServerResponse): object {
    const subject = parseDigest(digestText);
    const wanted = url.searchParams.get("artifactType");
    const seen = new Set<Digest>();
    const manifests = this.#contents.manifests().flatMap((manifest) => {
      if (manifest.repository !== repository || seen.has(manifest.digest)) return [];
      seen.add(manifest.digest);
      const content = this.#read(manifest.digest);
      if (content?.subject?.digest !== subject) return [];
      const artifactType = content.artifactType || content.config?.mediaType;
      if (wanted !== null && wanted !== artifactType) return [];
      const { mediaType, digest, size } = manifest;
      return [{ mediaType, digest, size, artifactType, annotations: content.annotations ?? undefined }];
    });
    if (wanted !== null) response.setHeader("oci-filters-applied", "artifactType");
    return { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests };
  }

  /** What an index names is there as long as the index is, so it cannot be deleted before. */
  #refuseMember(repository: string, digest: Digest): void {
    const ofRepository = this.#contents.manifests().filter((manifest) => manifest.repository === repository);
    const index = ofRepository.find((manifest) => this.#findInIndexes([manifest], digest, repository) !== undefined);
    if (index === undefined) return;
    throw new ApiError("UNSUPPORTED", `it is one of the manifests of ${index.digest}, which has to be deleted first`);
  }

  async #put(request: IncomingMessage, response: ServerResponse, repository: string, at: string): Promise<void> {
    const staging = this.#staging;
    if (staging === undefined) throw new ApiError("UNSUPPORTED", "this registry is read-only");
    const bytes = await readBody(request);
    const algorithm = at.includes(":") ? splitDigest(parseDigest(at)).algorithm : "sha256";
    const digest = digestOf(bytes, algorithm);
    if (at.includes(":") && at !== digest) throw new ApiError("DIGEST_INVALID", `the manifest's digest is ${digest}`);
    const content = parseManifest(bytes);
    const mediaType = content.mediaType || (request.headers["content-type"] ?? "").split(";")[0]?.trim();
    if (mediaType === undefined || mediaType === "") throw new ApiError("MANIFEST_INVALID", "it has no media type");
    const { config, layers, blobs, manifests } = content;
    using _ = this.#contents.rely(repository);
    for (const part of [...(config == null ? [] : [config]), ...layers, ...blobs, ...manifests]) {
      // Layers that may not be distributed are elsewhere.
      if (part.urls.length === 0 && !existsSync(this.#path(part.digest))) {
        throw new ApiError("MANIFEST_BLOB_UNKNOWN", `it names ${part.digest}, which is not here`);
      }
    }
    const place = this.#path(digest);
    if (!existsSync(place)) {
      mkdirSync(dirname(place), { recursive: true });
      const aside = `${staging.path}/${crypto.randomUUID()}`;
      writeFileSync(aside, bytes, { mode: 0o644 });
      renameSync(aside, place);
    }
    const tag = at.includes(":") ? undefined : at;
    this.#contents.add({ repository, tag, mediaType, digest, size: bytes.length });
    response.writeHead(201, {
      "content-length": 0,
      "docker-content-digest": digest,
      location: `/v2/${repository}/manifests/${digest}`,
      ...(content.subject == null ? {} : { "oci-subject": content.subject.digest }),
    });
    response.end();
  }

  /** A manifest of a repository, by its tag or its digest; also one that only an index of the repository names. */
  #find(repository: string, at: string): ServedManifest {
    const ofRepository = this.#contents.manifests().filter((manifest) => manifest.repository === repository);
    if (ofRepository.length === 0) throw new ApiError("NAME_UNKNOWN", "there is no such repository");
    const found =
      ofRepository.findLast(({ tag, digest }) => tag === at || digest === at) ??
      (at.includes(":") ? this.#findInIndexes(ofRepository, at, repository) : undefined);
    if (found === undefined || statSync(this.#path(found.digest), { throwIfNoEntry: false }) === undefined) {
      throw new ApiError("MANIFEST_UNKNOWN", "there is no such manifest");
    }
    return found;
  }

  #findInIndexes(manifests: readonly ServedManifest[], digest: string, repository: string): ServedManifest | undefined {
    const seen = new Set<Digest>();
    let indexes: readonly { mediaType: string; digest: Digest }[] = manifests;
    for (let depth = 0; depth < MAXIMUM_DEPTH; depth++) {
      const inner = indexes.flatMap((index) => {
        if (!isIndex(index.mediaType) || seen.has(index.digest)) return [];
        seen.add(index.digest);
        return this.#read(index.digest)?.manifests ?? [];
      });
      const found = inner.find((each) => each.digest === digest);
      if (found !== undefined) {
        const { mediaType, size } = found;
        return { mediaType, digest: found.digest, size, repository, tag: undefined };
      }
      indexes = inner;
    }
    return undefined;
  }

  #read(digest: Digest): ParsedManifest | undefined {
    const path = this.#path(digest);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined || size > MAXIMUM_DOCUMENT_SIZE) return undefined;
    const result = v.safeParse(manifestSchema, readFileSync(path, "utf8"));
    return result.success ? result.output : undefined;
  }

  #path(digest: Digest): string {
    return `${this.#contents.directory}/${blobPath(digest)}`;
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > MAXIMUM_DOCUMENT_SIZE) throw new ApiError("SIZE_INVALID", "a manifest has at most 4 MiB");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function parseManifest(bytes: Buffer): ParsedManifest {
  const result = v.safeParse(manifestSchema, bytes.toString("utf8"));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new ApiError("MANIFEST_INVALID", path === null ? issue.message : `${path}: ${issue.message}`);
}
