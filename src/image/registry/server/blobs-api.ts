/** Blobs and uploads of the server; distribution specification, "Pulling blobs", "Pushing blobs". */
import { createReadStream, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { type Digest, digestSchema } from "../../digest.ts";
import { blobPath } from "../../layout-files.ts";
import { ApiError } from "./api-error.ts";
import type { RegistryContents } from "./registry-contents.ts";
import type { Uploads } from "./uploads.ts";

/** Bytes that are read from a file at once. */
const PIECE = 256 << 10;

export class BlobsApi {
  readonly #contents: RegistryContents;
  readonly #uploads: Uploads | undefined;

  constructor(contents: RegistryContents, uploads: Uploads | undefined) {
    this.#contents = contents;
    this.#uploads = uploads;
  }

  /** `/v2/NAME/blobs/DIGEST` */
  async blob(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    digestText: string,
  ): Promise<void> {
    const { method } = request;
    const digest = parseDigest(digestText);
    if (method !== "GET" && method !== "HEAD") {
      throw new ApiError("UNSUPPORTED", "blobs are not deleted one by one: others may need them");
    }
    const path = this.#path(digest);
    // Whoever asks only whether it is here will not bring it.
    if (method === "HEAD") this.#hold(repository, digest);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) throw new ApiError("BLOB_UNKNOWN", "there is no such blob");
    const range = method === "HEAD" ? undefined : parseRange(request.headers.range, size);
    if (range === "unsatisfiable") {
      response.writeHead(416, { "content-range": `bytes */${size}` }).end();
      return;
    }
    const [start, end] = range ?? [0, size - 1];
    response.writeHead(range === undefined ? 200 : 206, {
      "accept-ranges": "bytes",
      "content-length": end - start + 1,
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
      etag: `"${digest}"`,
      ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` }),
    });
    if (method === "HEAD" || size === 0) {
      response.end();
      return;
    }
    await pipeline(createReadStream(path, { start, end, highWaterMark: PIECE }), response).catch((error) => {
      // A client may go whenever it likes.
      if (!response.destroyed) throw error;
    });
  }

  /** `/v2/NAME/blobs/uploads/`, with the name of an upload behind it or not */
  async upload(
    request: IncomingMessage,
    response: ServerResponse,
    repository: string,
    name: string,
    url: URL,
  ): Promise<void> {
    const uploads = this.#uploads;
    if (uploads === undefined) throw new ApiError("UNSUPPORTED", "this registry is read-only");
    const digest = url.searchParams.get("digest");
    if (name === "" && request.method === "POST") {
      const mount = url.searchParams.get("mount");
      if (mount !== null && this.#hold(repository, parseDigest(mount)))
        return this.#created(response, repository, parseDigest(mount));
      if (digest === null) return accepted(response, 202, repository, uploads.open(repository), 0);
      const wanted = parseDigest(digest);
      const opened = uploads.open(repository);
      try {
        await uploads.append(repository, opened, request);
      } catch (error) {
        // Nobody was told its name, so nobody will go on with it.
        uploads.cancel(repository, opened);
        throw error;
      }
      uploads.finish(repository, opened, wanted);
      return this.#created(response, repository, wanted);
    }
    switch (name === "" ? undefined : request.method) {
      case "GET":
      case "HEAD":
        return accepted(response, 204, repository, name, uploads.size(repository, name));
      case "PATCH":
        await uploads.append(repository, name, request, rangeStart(request));
        return accepted(response, 202, repository, name, uploads.size(repository, name));
      case "PUT":
        if (digest === null) throw new ApiError("DIGEST_INVALID", "the blob's digest is missing");
        await uploads.append(repository, name, request, rangeStart(request));
        uploads.finish(repository, name, parseDigest(digest));
        return this.#created(response, repository, parseDigest(digest));
      case "DELETE":
        uploads.cancel(repository, name);
        response.writeHead(204).end();
        return;
      default:
        throw new ApiError("UNSUPPORTED", "uploads know no such request");
    }
  }

  /** Keeps a blob for a manifest that is to come; returns whether there is such a blob. */
  #hold(repository: string, digest: Digest): boolean {
    return this.#contents.hold(repository, digest, this.#path(digest));
  }

  #path(digest: Digest): string {
    return `${this.#contents.directory}/${blobPath(digest)}`;
  }

  #created(response: ServerResponse, repository: string, digest: Digest): void {
    response.writeHead(201, {
      "content-length": 0,
      "docker-content-digest": digest,
      location: `/v2/${repository}/blobs/${digest}`,
    });
    response.end();
  }
}

/**
 * Reads a digest of a client's.
 * @throws ApiError `DIGEST_INVALID`
 */
export function parseDigest(text: string): Digest {
  const result = v.safeParse(digestSchema, text);
  if (!result.success) throw new ApiError("DIGEST_INVALID", "that is no digest of SHA-256 or SHA-512");
  return result.output;
}

function accepted(response: ServerResponse, status: number, repository: string, name: string, size: number): void {
  response.writeHead(status, {
    ...(status === 204 ? {} : { "content-length": 0 }),
    "docker-upload-uuid": name,
    location: `/v2/${repository}/blobs/uploads/${name}`,
    range: `0-${Math.max(size - 1, 0)}`,
  });
  response.end();
}

/** Where a chunk says that it goes on. */
function rangeStart(request: IncomingMessage): number | undefined {
  const range = request.headers["content-range"];
  if (range === undefined) return undefined;
  const [, start, end] = /^(?:bytes )?(\d+)-(\d+)/.exec(range) ?? [];
  if (start === undefined) throw new ApiError("BLOB_UPLOAD_INVALID", "Content-Range is not START-END");
  const length = request.headers["content-length"];
  if (length !== undefined && Number(length) !== Number(end) - Number(start) + 1) {
    throw new ApiError("SIZE_INVALID", "the chunk has another length than its Content-Range", 400);
  }
  return Number(start);
}

/** One range of bytes; several are answered with the whole, as RFC 9110 allows. */
function parseRange(header: string | undefined, size: number): readonly [number, number] | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start > end ? "unsatisfiable" : [start, end];
}
