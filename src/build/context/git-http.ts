import type { GitHttpRequest, GitHttpResponse, HttpClient as GitTransport } from "isomorphic-git";
import { TransientFailure } from "../../image/registry/http/failure.ts";
import { HttpClient, type HttpResponse } from "../../image/registry/http/http-client.ts";
import { USUAL_PATIENCE } from "../../image/registry/patience.ts";
import { BunkerError } from "../../sys/error.ts";

const MOST_REDIRECTS = 10;

/** Requests of the git client, by Bunker's own: proxies, the system's authorities, redirects, and an end of patience. */
export class GitHttp implements GitTransport, Disposable {
  readonly #client = new HttpClient({ authorities: [], client: undefined }, true, USUAL_PATIENCE);
  readonly #repository: string;
  readonly #signal: AbortSignal;

  /** @param repository for messages */
  constructor(repository: string, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
  }

  readonly request = async ({ url, method = "GET", headers = {}, body }: GitHttpRequest): Promise<GitHttpResponse> => {
    const content = body === undefined ? undefined : await gather(body);
    const response = await this.#follow(new URL(url), method, headers, content);
    return {
      url: response.url.href,
      method,
      statusCode: response.status,
      statusMessage: String(response.status),
      headers: Object.fromEntries(response.headers.entries()),
      body: response.pieces()[Symbol.asyncIterator]() as AsyncIterableIterator<Uint8Array>,
    };
  };

  async #follow(
    url: URL,
    method: string,
    headers: Readonly<Record<string, string>>,
    content: Buffer | undefined,
  ): Promise<HttpResponse> {
    let current = url;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const response = await this.#send(current, method, headersFor(current, url, headers), content);
      const location = response.headers.get("location");
      if (response.status < 301 || response.status > 308 || location === null) return response;
      await response.discard();
      current = new URL(location, current);
      if (current.protocol !== "https:" && current.protocol !== url.protocol) break;
    }
    throw gitError(this.#repository, "it redirects too often, or to where it must not");
  }

  async #send(
    url: URL,
    method: string,
    headers: Readonly<Record<string, string>>,
    content: Buffer | undefined,
  ): Promise<HttpResponse> {
    const attempt = { operation: "fetch from", object: this.#repository };
    const body =
      content === undefined
        ? undefined
        : {
            length: content.length,
            async *open() {
              yield content;
            },
          };
    try {
      return await this.#client.send({ method, url, headers, body, signal: this.#signal, attempt });
    } catch (cause) {
      const error = cause instanceof TransientFailure ? cause.error : cause;
      if (!(error instanceof BunkerError)) throw error;
      throw gitError(this.#repository, error.message.replace(`fetch from ${this.#repository}: `, ""), error);
    }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** A login is for the host that it was given for. */
function headersFor(url: URL, asked: URL, headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => url.host === asked.host || name.toLowerCase() !== "authorization",
  );
  return Object.fromEntries(kept);
}

async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const gathered: Uint8Array[] = [];
  for await (const piece of pieces) gathered.push(piece);
  return Buffer.concat(gathered);
}

/** That a repository could not be fetched. */
export function gitError(repository: string, reason: string, cause?: unknown, hint?: string): BunkerError {
  const details = { code: "git_failed", operation: "fetch from", object: repository, reason, hint, exitStatus: 1 };
  return new BunkerError(details, { cause });
}
