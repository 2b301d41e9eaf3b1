/*
 * Files from the web: what ADD gets by a URL, build contexts, and what is imported as an image. Redirects are followed,
 * failures that may pass are tried again from the beginning, and a file is only there once it is whole and is what
 * `--checksum` says.
 */
import { open, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, DigestHasher, splitDigest } from "../../image/digest.ts";
import { TransientFailure } from "../../image/registry/http/failure.ts";
import { HttpClient, type HttpResponse } from "../../image/registry/http/http-client.ts";
import { USUAL_PATIENCE } from "../../image/registry/patience.ts";
import { retryAfter, withRetries } from "../../image/registry/retry.ts";
import { BunkerError } from "../../sys/error.ts";
import { retellError } from "../../sys/retell-error.ts";
import { writeError } from "../../sys/write-error.ts";
import { downloadName } from "./download-name.ts";

const MOST_REDIRECTS = 10;
const PRIVATE_MODE = 0o600;

/** A file that was downloaded. */
export interface Download {
  /** In the directory. */
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Downloads a file to a directory, by the last component of the URL's path. Its mode is 0600, and its time what the server
 * says of its last modification, or else 1970: so the same content is the same file.
 * @param checksum what its digest must be
 * @throws BunkerError `download_failed`, `checksum_mismatch`, `no_space`, and the reason of `signal`
 */
export async function downloadFile(
  url: URL,
  directory: string,
  checksum: Digest | undefined,
  signal: AbortSignal,
): Promise<Download> {
  const name = downloadName(url);
  const path = join(directory, name);
  const partial = join(directory, `.${crypto.randomUUID()}`);
  const algorithm = checksum === undefined ? "sha256" : splitDigest(checksum).algorithm;
  try {
    return await withRetries(USUAL_PATIENCE, signal, async () => {
      using followed = await follow(url, signal);
      const { response } = followed;
      const hasher = new DigestHasher(algorithm);
      const size = await writePieces(partial, response, hasher);
      const digest = hasher.finish();
      if (checksum !== undefined && digest !== checksum) throw mismatch(url, checksum, digest);
      const time = Date.parse(response.headers.get("last-modified") ?? "");
      await utimes(partial, 0, Number.isNaN(time) ? 0 : time / 1000);
      await rename(partial, path);
      return { name, digest, size };
    });
  } finally {
    await rm(partial, { force: true });
  }
}

/** What a server sends, to be taken once. */
export interface OpenDownload extends Disposable {
  /** The URL, without a password. */
  readonly name: string;
  readonly stream: AsyncIterable<Buffer>;
}

/**
 * Begins a download that is kept nowhere, so that a connection which is lost in the middle ends it.
 * @throws BunkerError `download_failed`, also while it is read, and the reason of `signal`
 */
export async function openDownload(url: URL, signal: AbortSignal): Promise<OpenDownload> {
  const followed = await withRetries(USUAL_PATIENCE, signal, () => follow(url, signal));
  const pieces = async function* () {
    try {
      yield* followed.response.pieces();
    } catch (cause) {
      throw cause instanceof TransientFailure ? asBunkerError(cause.error) : cause;
    }
  };
  return { name: shown(url), stream: pieces(), [Symbol.dispose]: () => followed[Symbol.dispose]() };
}

async function writePieces(path: string, response: HttpResponse, hasher: DigestHasher): Promise<number> {
  const write = async <Result>(work: Promise<Result>) => {
    try {
      return await work;
    } catch (cause) {
      throw writeError(cause, "write", path);
    }
  };
  const file = await write(open(path, "w", PRIVATE_MODE));
  try {
    let size = 0;
    for await (const piece of response.pieces()) {
      hasher.update(piece);
      await write(file.appendFile(piece));
      size += piece.length;
    }
    return size;
  } finally {
    await file.close();
  }
}

interface Followed extends Disposable {
  readonly response: HttpResponse;
}

/** Asks for a URL, and for what it redirects to. */
async function follow(url: URL, signal: AbortSignal): Promise<Followed> {
  let current = url;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const client = new HttpClient({ authorities: [], client: undefined }, true, USUAL_PATIENCE);
    try {
      const { response, location } = await ask(client, current, url, signal);
      if (location === undefined) return { response, [Symbol.dispose]: () => client[Symbol.dispose]() };
      current = location;
      client[Symbol.dispose]();
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }
  throw failed(url, `it redirects more than ${MOST_REDIRECTS} times`);
}

async function ask(
  client: HttpClient,
  url: URL,
  asked: URL,
  signal: AbortSignal,
): Promise<{ readonly response: HttpResponse; readonly location: URL | undefined }> {
  const attempt = { operation: "download", object: shown(asked) };
  const headers = authorization(url);
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  const request = { method: "GET", url: bare, headers, signal, attempt };
  const response = await client.send(request).catch((error) => {
    throw asDownloadError(error);
  });
  const { status } = response;
  if (status === 200) return { response, location: undefined };
  const location = response.headers.get("location");
  await response.discard();
  if ([301, 302, 303, 307, 308].includes(status) && location !== null) {
    const next = URL.parse(location, bare.href);
    if (next?.protocol !== "http:" && next?.protocol !== "https:") throw failed(asked, `it redirects to ${location}`);
    return { response, location: next };
  }
  const error = failed(asked, `the server answered ${status}`);
  throw status === 429 || status >= 500 ? new TransientFailure(error, retryAfter(response.headers)) : error;
}

/** A login in the URL is for its own host only: it is gone after a redirect. */
function authorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const login = `${decoded(username)}:${decoded(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString("base64")}` };
}

/** A percent sign that stands for itself is one. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The client's errors are in the words of registries. */
function asDownloadError(error: unknown): unknown {
  if (error instanceof TransientFailure) return new TransientFailure(asBunkerError(error.error), error.delay);
  return error instanceof BunkerError ? asBunkerError(error) : error;
}

function asBunkerError(error: BunkerError): BunkerError {
  return retellError(error, { code: "download_failed", hint: undefined, exitStatus: 1 });
}

function failed(url: URL, reason: string): BunkerError {
  return new BunkerError({
    code: "download_failed",
    operation: "download",
    object: shown(url),
    reason,
    exitStatus: 1,
  });
}

function mismatch(url: URL, expected: Digest, actual: Digest): BunkerError {
  return new BunkerError({
    code: "checksum_mismatch",
    operation: "verify",
    object: shown(url),
    reason: `its digest is ${actual} and not ${expected}`,
    exitStatus: 1,
  });
}

/** A URL for people, without what must not be shown. */
function shown(url: URL): string {
  if (url.password === "") return url.href;
  const bare = new URL(url);
  bare.password = "xxxxx";
  return bare.href;
}
