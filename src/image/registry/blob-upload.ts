/*
 * Uploading a blob; OCI distribution specification, "Pushing blobs".
 *
 * The blob is sent whole in one request, which every registry takes and none is faster with. Only when that fails on
 * the way is the registry asked how much of it has arrived (it may have kept that, or not), and the rest is sent in
 * chunks, after each of which as much is safe. Chunks are also for registries, or the proxies before them, that refuse
 * large requests.
 *
 * Attempts are counted from the last byte that is safe, so a large blob over a bad line gets there.
 */
import { BunkerError } from "../../sys/error.ts";
import type { Descriptor } from "../documents.ts";
import { passingInTransfer, TransientFailure } from "./http/failure.ts";
import type { HttpResponse, RequestBody } from "./http/http-client.ts";
import { pushScope } from "./manifests.ts";
import type { Repository } from "./registries.ts";
import type { ApiRequest } from "./registry-client.ts";
import { waitAfter } from "./retry.ts";

/** Bytes of a chunk, unless the registry wants larger ones. */
const CHUNK = 16 << 20;

/** An upload that the registry has opened. */
export interface UploadSession {
  /** Where the next request goes. */
  readonly location: URL;
  /** Bytes that a chunk but the last must have at least. */
  readonly smallestChunk: number;
}

export interface UploadOptions {
  /** Gives the bytes of the blob from an offset on. */
  readonly read: (offset: number) => AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** Is told how many bytes more have been sent; those that are sent again do not count. */
  readonly onProgress: (bytes: number) => void;
  /** One that is open already, with nothing in it. */
  readonly session?: UploadSession | undefined;
}

/**
 * Whether a repository has a blob.
 * @throws BunkerError what `RegistryClient` can meet
 */
export async function hasBlob({ client, path }: Repository, { digest }: Descriptor, signal: AbortSignal) {
  const response = await client.send({
    method: "HEAD",
    target: `${path}/blobs/${digest}`,
    scopes: [pushScope(path)],
    expected: [200, 404],
    operation: "look for",
    object: `blob ${digest}`,
    signal,
  });
  return response.status === 200;
}

/**
 * Asks a registry to take a blob over from another of its repositories.
 * @param from the other repository, as the registry knows it
 * @returns undefined when it has; otherwise the upload that it has opened instead
 * @throws BunkerError what `RegistryClient` can meet
 */
export async function mountBlob(
  repository: Repository,
  descriptor: Descriptor,
  from: string,
  signal: AbortSignal,
): Promise<UploadSession | undefined> {
  const query = new URLSearchParams({ mount: descriptor.digest, from });
  return openSession(repository, descriptor, `?${query}`, [`repository:${from}:pull`], signal);
}

/**
 * Uploads a blob.
 * @throws BunkerError `digest_mismatch`, `image_invalid` when there are more or fewer bytes than the descriptor says,
 *   and what `RegistryClient` can meet
 */
export async function uploadBlob(
  repository: Repository,
  descriptor: Descriptor,
  options: UploadOptions,
): Promise<void> {
  const upload = new Upload(repository, descriptor, options);
  try {
    await upload.run();
  } catch (error) {
    if (!options.signal.aborted) await upload.abandon();
    throw error;
  }
}

class Upload {
  readonly #repository: Repository;
  readonly #descriptor: Descriptor;
  readonly #options: UploadOptions;
  #session: UploadSession | undefined;
  /** Bytes that the registry is known to have. */
  #safe = 0;
  /** Bytes that were reported as sent. */
  #reported = 0;

  constructor(repository: Repository, descriptor: Descriptor, options: UploadOptions) {
    this.#repository = repository;
    this.#descriptor = descriptor;
    this.#options = options;
    this.#session = options.session;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const { patience } = this.#repository.client;
    let inChunks = false;
    for (let failures = 0; ; ) {
      try {
        const session = await this.#open();
        if (inChunks) await this.#sendInChunks(session);
        else if (!(await this.#sendWhole(session))) {
          inChunks = true;
          continue;
        }
        return;
      } catch (failure) {
        const passing = this.#session === undefined ? failure : passingInTransfer(failure);
        if (!(passing instanceof TransientFailure)) throw failure;
        const before = this.#safe;
        inChunks = true;
        await this.#resume();
        failures = this.#safe > before ? 1 : failures + passing.weight;
        if (failures >= patience.attempts) throw passing.error;
        await waitAfter(failures, passing, patience, signal);
      }
    }
  }

  /** Tells the registry that nothing more will come. What it says to that changes nothing. */
  async abandon(): Promise<void> {
    if (this.#session === undefined) return;
    try {
      const response = await this.#send({
        method: "DELETE",
        target: this.#session.location,
        expected: [204, 202, 404],
      });
      await response.discard();
    } catch {
      // It will forget the upload by itself.
    }
  }

  async #open(): Promise<UploadSession> {
    if (this.#session !== undefined) return this.#session;
    this.#safe = 0;
    const session = await openSession(this.#repository, this.#descriptor, "", [], this.#options.signal);
    if (session === undefined) throw this.#failed("the registry opens no upload");
    this.#session = session;
    return session;
  }

  /** @returns false when the registry, or what is before it, refuses requests as large as that */
  async #sendWhole({ location }: UploadSession): Promise<boolean> {
    const { size, digest } = this.#descriptor;
    const target = withDigest(location, digest);
    const response = await this.#send({
      method: "PUT",
      target,
      body: this.#body(0, size),
      expected: [201, 204, 404, 413],
    });
    await response.discard();
    if (response.status === 404) throw this.#forgotten();
    if (response.status === 413) this.#session = undefined;
    return response.status !== 413;
  }

  async #sendInChunks(session: UploadSession): Promise<void> {
    const { size, digest } = this.#descriptor;
    let { location } = session;
    while (this.#safe < size) {
      const length = Math.min(Math.max(CHUNK, session.smallestChunk), size - this.#safe);
      const range = `${this.#safe}-${this.#safe + length - 1}`;
      const response = await this.#send({
        method: "PATCH",
        target: location,
        headers: { "content-range": range },
        body: this.#body(this.#safe, length),
        expected: [202, 204, 404, 416],
      });
      await response.discard();
      if (response.status === 404) throw this.#forgotten();
      if (response.status === 416) throw this.#failed(`the registry does not go on at byte ${this.#safe}`);
      location = locationOf(response) ?? location;
      this.#session = { ...session, location };
      this.#safe += length;
    }
    const target = withDigest(location, digest);
    const response = await this.#send({ method: "PUT", target, body: NOTHING, expected: [201, 204, 404] });
    await response.discard();
    if (response.status === 404) throw this.#forgotten();
  }

  /** Finds out what the registry has, after a failure; without an upload left, the next attempt opens another. */
  async #resume(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { location } = session;
    let response: HttpResponse;
    try {
      response = await this.#send({ method: "GET", target: location, expected: [204, 200, 202, 404] });
    } catch (failure) {
      // Nothing is known then; the next attempt goes on where it was, and learns whether that is right.
      if (passingInTransfer(failure) !== undefined) return;
      if (!(failure instanceof BunkerError)) throw failure;
      // Some registries do not tell. What is refused for another reason will be refused to the next upload, too.
      await this.abandon();
      this.#session = undefined;
      return;
    }
    await response.discard();
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get("range") ?? "") ?? [];
    // "0-0" is said of one byte and of none.
    const arrived = last === undefined || last === "0" ? 0 : Number(last) + 1;
    if (response.status !== 404 && arrived > 0 && arrived <= this.#descriptor.size) {
      this.#session = { ...session, location: locationOf(response) ?? location };
      this.#safe = arrived;
    } else {
      if (response.status !== 404) await this.abandon();
      this.#session = undefined;
    }
  }

  /** A part of the blob, or all of it, as the body of a request. */
  #body(offset: number, length: number): RequestBody {
    const { read } = this.#options;
    const end = offset + length;
    const isLast = end === this.#descriptor.size;
    const advance = (position: number) => this.#advance(position);
    const wrongSize = (has: string) => this.#wrongSize(has);
    return {
      length,
      async *open() {
        let position = offset;
        if (length === 0) return;
        for await (const piece of read(offset)) {
          const wanted = piece.subarray(0, end - position);
          if (wanted.length < piece.length && isLast) throw wrongSize("more");
          position += wanted.length;
          yield wanted;
          advance(position);
          // Whoever reads to the end of the last part verifies the blob there.
          if (position === end && !isLast) return;
        }
        if (position !== end) throw wrongSize(String(position));
      },
    };
  }

  #advance(position: number): void {
    if (position <= this.#reported) return;
    this.#options.onProgress(position - this.#reported);
    this.#reported = position;
  }

  #send(request: Pick<ApiRequest, "method" | "target" | "expected"> & Partial<ApiRequest>): Promise<HttpResponse> {
    const { client, path } = this.#repository;
    const headers = {
      ...(request.body === undefined ? {} : { "content-type": "application/octet-stream" }),
      ...request.headers,
    };
    return client.send({
      scopes: [pushScope(path)],
      operation: "upload",
      object: `blob ${this.#descriptor.digest}`,
      signal: this.#options.signal,
      once: true,
      ...request,
      headers,
    });
  }

  #forgotten(): TransientFailure {
    this.#session = undefined;
    return this.#failed("the registry has forgotten the upload");
  }

  #failed(reason: string): TransientFailure {
    const object = `blob ${this.#descriptor.digest}`;
    return new TransientFailure(new BunkerError({ code: "registry_failed", operation: "upload", object, reason }));
  }

  #wrongSize(has: string): BunkerError {
    const { digest, size } = this.#descriptor;
    const reason = `its source has ${has} instead of ${size} bytes`;
    return new BunkerError({ code: "image_invalid", operation: "upload", object: `blob ${digest}`, reason });
  }
}

const NOTHING: RequestBody = { length: 0, async *open() {} };

/** Opens an upload; undefined when the registry needs no upload (any more). */
async function openSession(
  { client, path }: Repository,
  { digest }: Descriptor,
  query: string,
  scopes: readonly string[],
  signal: AbortSignal,
): Promise<UploadSession | undefined> {
  const response = await client.send({
    method: "POST",
    target: `${path}/blobs/uploads/${query}`,
    body: NOTHING,
    scopes: [pushScope(path), ...scopes],
    expected: [201, 202],
    operation: "upload",
    object: `blob ${digest}`,
    signal,
  });
  await response.discard();
  if (response.status === 201) return undefined;
  const location = locationOf(response);
  if (location === undefined) {
    const reason = `${response.url.host} does not say where to send it`;
    throw new BunkerError({ code: "registry_failed", operation: "upload", object: `blob ${digest}`, reason });
  }
  const smallestChunk = Number(response.headers.get("oci-chunk-min-length") ?? "0");
  return { location, smallestChunk: Number.isSafeInteger(smallestChunk) ? smallestChunk : 0 };
}

/** Where the registry wants the next request. */
function locationOf({ headers, url }: HttpResponse): URL | undefined {
  const location = URL.parse(headers.get("location") ?? "", url.href);
  if (headers.get("location") === null || location === null) return undefined;
  // Registries behind a proxy that has TLS for them do not know that they have it.
  if (location.host === url.host) location.protocol = url.protocol;
  return location;
}

function withDigest(location: URL, digest: string): URL {
  const url = new URL(location.href);
  url.searchParams.set("digest", digest);
  return url;
}
