/*
 * Requests to one server: over Bun's fetch, with what a registry's client needs beyond it.
 *
 * - Bodies are streams in both directions, never whole in memory; fetch holds back the server (and asks the source for
 *   no more) when the other side is slow. The length of a request's body is known and sent.
 * - A server that falls silent, or that only dribbles, ends in an error. Only time in which the server is waited for is
 *   counted: a receiver may take as long as it likes to unpack what it got.
 * - No redirect is followed and nothing is retried here: whoever sends knows what may be repeated and to whom
 *   credentials may go.
 */
import { BunkerError } from "../../../sys/error.ts";
import type { Patience } from "../patience.ts";
import { type Attempt, connectionFailure, TransientFailure } from "./failure.ts";
import { proxyFor } from "./proxy.ts";
import { systemAuthorities, type Trust } from "./trust.ts";

/** The body of a request; `open` may be called again when the request is repeated. */
export interface RequestBody {
  /** Bytes. */
  readonly length: number;
  open(): AsyncIterable<Buffer>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  readonly signal: AbortSignal;
  /** For messages. */
  readonly attempt: Attempt;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  /** The body's pieces as they come; those of an answer that was cut short end in a `TransientFailure`. */
  pieces(): AsyncIterable<Buffer>;
  /**
   * The body whole.
   * @param limit bytes that it may have
   * @returns undefined when it has more
   */
  whole(limit: number): Promise<Buffer | undefined>;
  /** Gives up the body, so that its connection is free. */
  discard(): Promise<void>;
}

/** Connections to one host. */
export class HttpClient implements Disposable {
  readonly #session: Bun.FetchSession;
  readonly #patience: Patience;

  /** @param verify whether the server's certificate must be by an authority that is trusted */
  constructor(trust: Trust, verify: boolean, patience: Patience) {
    this.#patience = patience;
    this.#session = new Bun.FetchSession({
      tls: {
        rejectUnauthorized: verify,
        // Reading all authorities takes longer than many a request.
        ...(verify ? { ca: [...systemAuthorities(), ...trust.authorities] } : {}),
        ...(trust.client === undefined ? {} : { cert: trust.client.certificate, key: trust.client.key }),
      },
    });
  }

  /**
   * Sends a request and waits for the head of the answer, whatever its status.
   * @throws BunkerError `registry_untrusted`, `registry_unreachable`, `invalid_proxy`
   * @throws TransientFailure when the connection failed or the server was too slow
   * @throws what the signal was aborted with
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, body } = request;
    const proxy = proxyFor(url, process.env);
    const watch = new Watch(this.#patience, request, proxy);
    const headers = { "user-agent": "bunker", "accept-encoding": "identity", ...request.headers };
    try {
      watch.expect();
      const response = await this.#session.fetch(url.href, {
        method: request.method,
        headers: body === undefined ? headers : { ...headers, "content-length": String(body.length) },
        ...(body === undefined ? {} : { body: body.length === 0 ? "" : sendingStream(body, watch, this.#patience) }),
        redirect: "manual",
        decompress: false,
        timeout: false,
        proxy: proxy === undefined ? false : { url: proxy, respectNoProxy: false },
        signal: watch.signal,
      });
      watch.relax();
      return new WatchedResponse(response, url, watch);
    } catch (cause) {
      watch.relax();
      throw watch.explain(cause);
    }
  }

  [Symbol.dispose](): void {
    this.#session.close();
  }
}

/** Aborts a request when its server has been waited for too long. */
class Watch {
  readonly #controller = new AbortController();
  readonly #patience: Patience;
  readonly #request: HttpRequest;
  readonly #proxy: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tooSlow: string | undefined;
  /** What the source of the body failed with; that is not the server's fault. */
  sourceFailure: { readonly cause: unknown } | undefined;
  #waited = 0;
  #bytes = 0;

  constructor(patience: Patience, request: HttpRequest, proxy: string | undefined) {
    this.#patience = patience;
    this.#request = request;
    this.#proxy = proxy;
  }

  get signal(): AbortSignal {
    return AbortSignal.any([this.#request.signal, this.#controller.signal]);
  }

  /** From now on the server has to act within a time. */
  expect(milliseconds = this.#patience.silence): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#giveUp(`nothing came for ${seconds(milliseconds)}`);
    }, milliseconds);
  }

  /** The server need not act for now. */
  relax(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Counts bytes that had to be waited for. */
  count(bytes: number, waited: number): void {
    this.#bytes += bytes;
    this.#waited += waited;
    const { slowness, leastBytes } = this.#patience;
    if (this.#waited < slowness) return;
    if (this.#bytes < leastBytes) this.#giveUp(`only ${this.#bytes} bytes came in ${seconds(this.#waited)}`);
    this.#waited = 0;
    this.#bytes = 0;
  }

  #giveUp(reason: string): void {
    this.#tooSlow = reason;
    this.#controller.abort(new Error(reason));
  }

  /** What is to be thrown for what fetch threw. */
  explain(cause: unknown): unknown {
    const { signal, attempt, url } = this.#request;
    if (signal.aborted) return signal.reason;
    if (this.sourceFailure !== undefined) return this.sourceFailure.cause;
    if (this.#tooSlow === undefined) return connectionFailure(cause, attempt, url.host, this.#proxy);
    const error = { ...attempt, code: "registry_timeout", reason: `${url.host} is too slow: ${this.#tooSlow}` };
    return new TransientFailure(new BunkerError(error, { cause }));
  }
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${Math.round(milliseconds / 1000)} s`;
}

/** The body of a request as fetch takes it, which is asked for more when the server has taken what there was. */
function sendingStream(body: RequestBody, watch: Watch, patience: Patience): ReadableStream<Uint8Array> {
  const iterator = body.open()[Symbol.asyncIterator]();
  let handedOver = performance.now();
  let last = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        watch.relax();
        watch.count(last, last === 0 ? 0 : performance.now() - handedOver);
        try {
          const { done, value } = await iterator.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
          last = done === true ? 0 : value.length;
          handedOver = performance.now();
          watch.expect(done === true ? patience.completion : patience.silence);
        } catch (cause) {
          watch.sourceFailure = { cause };
          controller.error(cause);
        }
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}

class WatchedResponse implements HttpResponse {
  readonly #response: Response;
  readonly #watch: Watch;
  readonly url: URL;

  constructor(response: Response, url: URL, watch: Watch) {
    this.#response = response;
    this.url = url;
    this.#watch = watch;
  }

  get status(): number {
    return this.#response.status;
  }

  get headers(): Headers {
    return this.#response.headers;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    const reader = this.#response.body?.getReader();
    if (reader === undefined) return;
    let ended = false;
    try {
      while (true) {
        const value = await this.#next(reader);
        if (value === undefined) {
          ended = true;
          return;
        }
        yield value;
      }
    } finally {
      if (!ended) await reader.cancel().catch(() => {});
    }
  }

  async #next(reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read">): Promise<Buffer | undefined> {
    const asked = performance.now();
    this.#watch.expect();
    try {
      const { done, value } = await reader.read();
      if (done) return undefined;
      this.#watch.count(value.length, performance.now() - asked);
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    } catch (cause) {
      throw this.#watch.explain(cause);
    } finally {
      this.#watch.relax();
    }
  }

  async whole(limit: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of this.pieces()) {
      length += piece.length;
      if (length > limit) return undefined;
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  async discard(): Promise<void> {
    await this.#response.body?.cancel().catch(() => {});
  }
}
