/*
 * Requests to the API of one registry; OCI distribution specification 1.1, which is Docker's registry API v2.
 *
 * A registry has TLS, unless the configuration or the user says that it may do without, or it is on this machine: then
 * it is asked once which it speaks, in a request that tells it nothing; on this machine, where there is nobody to be hidden
 * from, by the first request itself. Everything else happens around each request:
 *
 * - A challenge is answered, and the request sent again with the authorization.
 * - Redirects are followed, for blobs mostly to some storage of the registry's. Credentials go to the registry itself
 *   and nowhere else; a redirect from TLS to plain HTTP is refused.
 * - Failures that may pass (no connection, too many requests, a fault of the server's) are tried again, after a while.
 * - What remains becomes a BunkerError that says what the registry said.
 */
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { Authorization } from "./authorization/authorization.ts";
import { parseChallenges } from "./authorization/challenge.ts";
import { apiHost } from "./configuration/endpoints.ts";
import type { Credentials } from "./credentials/credentials.ts";
import { type Attempt, TransientFailure } from "./http/failure.ts";
import { HttpClient, type HttpRequest, type HttpResponse, type RequestBody } from "./http/http-client.ts";
import { isLoopbackHost } from "./http/proxy.ts";
import { type Trust, trustFor } from "./http/trust.ts";
import type { Patience } from "./patience.ts";
import { retryAfter, withRetries } from "./retry.ts";
import { parseWarnings } from "./warnings.ts";

/** What a client is for. */
export interface ClientSettings {
  /** `HOST[:PORT]` as the user knows it. */
  readonly registry: string;
  /** Whether it may do without TLS, or with a certificate that nobody vouches for. */
  readonly insecure: boolean;
  /** Whether the same goes for a registry on this machine. */
  readonly mayBeInsecureOnLoopback: boolean;
  readonly certificateDirectory: string | undefined;
  readonly patience: Patience;
  credentials(): Promise<Credentials | undefined>;
  /** Is told what the registry wants its users to know, each time that it says so. */
  onWarning(message: string): void;
}

/** A request to the API. */
export interface ApiRequest extends Attempt {
  readonly method: string;
  /** Behind `/v2/`, with its query; or a URL that the registry gave. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** What a token has to be good for: `repository:NAME:pull`. */
  readonly scopes: readonly string[];
  /** The statuses that are answers; any other is an error. */
  readonly expected: readonly number[];
  readonly signal: AbortSignal;
  /** Whether the failures that may pass are the caller's, as `TransientFailure`; otherwise they are tried again here. */
  readonly once?: boolean;
  /** What to do when the registry does not have it; without a full stop, and a login need not be spoken of. */
  readonly missingHint?: string;
}

const MOST_REDIRECTS = 10;
/** Bytes of an error's body that are read. */
const LARGEST_ERROR = 64 << 10;
/** Seconds of a week: what registries want to be left alone for is at most a matter of hours. */
const LONGEST_WAIT = 7 * 24 * 3600;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

const errorBody = v.object({
  errors: v.array(v.object({ code: v.nullish(v.string(), ""), message: v.nullish(v.string(), "") })),
});

export class RegistryClient implements Disposable {
  readonly registry: string;
  readonly patience: Patience;
  readonly #settings: ClientSettings;
  readonly #authorization: Authorization;
  /** By `HOST[:PORT]`: the registry's own and those of where it redirects to. */
  readonly #connections = new Map<string, HttpClient>();
  #base: Promise<URL> | undefined;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.registry = settings.registry;
    this.patience = settings.patience;
    this.#authorization = new Authorization({
      registry: settings.registry,
      credentials: () => settings.credentials(),
      send: (request) => withRetries(this.patience, request.signal, () => this.#sendToTokenServer(request)),
    });
  }

  /**
   * Sends a request and returns the answer that was hoped for; its body is the caller's to read or discard.
   * @throws BunkerError `registry_unreachable`, `registry_untrusted`, `registry_timeout`, `registry_unauthorized`,
   *   `registry_denied`, `registry_rate_limited`, `registry_failed`, `registry_refused`, `image_not_found`
   * @throws TransientFailure with `once`
   */
  async send(request: ApiRequest): Promise<HttpResponse> {
    if (request.once === true) return this.#attempt(request);
    return withRetries(this.patience, request.signal, () => this.#attempt(request));
  }

  /**
   * Sends a request and reads the body of the answer; one that breaks off, or comes too slowly, is asked for again.
   * @param limit bytes of the body at most; a longer one is undefined
   * @throws BunkerError as `send`
   */
  async read(
    request: Omit<ApiRequest, "once">,
    limit: number,
  ): Promise<{ readonly response: HttpResponse; readonly bytes: Buffer | undefined }> {
    return withRetries(this.patience, request.signal, async () => {
      const response = await this.#attempt(request);
      return { response, bytes: await response.whole(limit) };
    });
  }

  /**
   * The URL of the API, with its slash at the end.
   * @returns also the answer to the request, if it was that by which the URL was found
   */
  async #home(request: ApiRequest): Promise<{ readonly home: URL; readonly answer: HttpResponse | undefined }> {
    let answer: HttpResponse | undefined;
    this.#base ??= this.#findBase(request, (response) => {
      answer = response;
    });
    try {
      return { home: await this.#base, answer };
    } catch (error) {
      this.#base = undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections.values()) connection[Symbol.dispose]();
    this.#connections.clear();
  }

  async #attempt(request: ApiRequest): Promise<HttpResponse> {
    const { signal, scopes, expected } = request;
    const { home, answer } = await this.#home(request);
    const start =
      request.target instanceof URL
        ? this.#checkedStep(request, home, request.target, "names")
        : new URL(request.target, home);
    let authorization = await this.#authorization.header(scopes, signal, request);
    for (let answered = 0; ; answered++) {
      const response =
        (answered === 0 ? answer : undefined) ?? (await this.#follow(request, start, home.origin, authorization));
      if (response.url.origin === home.origin) this.#tellWarnings(response.headers);
      if (expected.includes(response.status)) return response;
      if (response.status !== 401 || response.url.origin !== home.origin || answered === 2) {
        throw await this.#failure(response, request);
      }
      const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
      const isSecure = home.protocol === "https:";
      const next = await this.#authorization.answer(challenges, scopes, authorization, signal, request, isSecure);
      if (next === undefined || next === authorization) throw await this.#failure(response, request);
      await response.discard();
      authorization = next;
    }
  }

  #tellWarnings(headers: Headers): void {
    for (const text of parseWarnings(headers.get("warning")))
      this.#settings.onWarning(`${this.registry} says: ${text}`);
  }

  /** Sends it to where it belongs: through all redirects, with credentials only to the registry itself. */
  async #follow(
    request: Omit<ApiRequest, "target" | "scopes">,
    start: URL,
    home: string,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    let url = start;
    let { method, body } = request;
    for (let redirects = 0; ; redirects++) {
      const mayKnow = authorization !== undefined && url.origin === home;
      const headers = mayKnow ? { ...request.headers, authorization } : { ...request.headers };
      const attempt = { operation: request.operation, object: request.object };
      const response = await this.#connection(url.host).send({
        method,
        url,
        headers,
        body,
        signal: request.signal,
        attempt,
      });
      const location = response.headers.get("location");
      if (!REDIRECTS.includes(response.status) || request.expected.includes(response.status) || location === null) {
        return response;
      }
      await response.discard();
      const next = this.#checkedStep(request, url, URL.parse(location, url.href), "redirects to");
      if (redirects === MOST_REDIRECTS) throw refusal(request, url.host, "registry_failed", "it redirects without end");
      if (response.status === 303 && method !== "HEAD") [method, body] = ["GET", undefined];
      url = next;
    }
  }

  /**
   * Looks whether a request may go where a server wants it.
   * @param verb what the server does to say so
   * @throws BunkerError `registry_failed`, `registry_untrusted`
   */
  #checkedStep(attempt: Attempt, from: URL, next: URL | null, verb: string): URL {
    if (next === null || (next.protocol !== "https:" && next.protocol !== "http:")) {
      throw refusal(attempt, from.host, "registry_failed", `it ${verb} what is no URL of HTTP`);
    }
    if (from.protocol === "https:" && next.protocol === "http:" && !this.#settings.insecure) {
      throw refusal(attempt, from.host, "registry_untrusted", `it ${verb} ${next.origin}, without TLS`);
    }
    return next;
  }

  /**
   * Finds out whether a registry that may do without TLS does.
   * @param onAnswer is given the answer if that is done by the request itself
   */
  async #findBase(request: ApiRequest, onAnswer: (response: HttpResponse) => void): Promise<URL> {
    const { signal, method, target } = request;
    const host = apiHost(this.registry);
    const [secure, plain] = [URL.parse(`https://${host}/v2/`), URL.parse(`http://${host}/v2/`)];
    if (secure === null || plain === null) {
      throw refusal(request, host, "registry_unreachable", "that is no HOST[:PORT]");
    }
    if (!this.#mayBeInsecure(host, this.#trust(host))) return secure;
    // On this machine the first try of TLS takes a while to prepare.
    const [first, second] = isLoopbackHost(host) ? [plain, secure] : [secure, plain];
    const mayAskByRequest = first === plain && typeof target === "string" && (method === "GET" || method === "HEAD");
    const ask = async (url: URL) => {
      // Nothing is known of credentials before there was a challenge.
      const answer = mayAskByRequest
        ? await this.#follow(request, new URL(target, url), url.origin, undefined)
        : undefined;
      if (answer === undefined || answer.status === 400) {
        const response = await this.#connection(host).send({
          method: "GET",
          url,
          headers: {},
          signal,
          attempt: request,
        });
        await response.discard();
        // What servers that have TLS say to those who come without, whatever they come for.
        if (url === plain && response.status === 400) {
          await answer?.discard();
          throw refusal(request, host, "registry_unreachable", "it wants TLS");
        }
      }
      if (answer !== undefined) onAnswer(answer);
      return url;
    };
    try {
      return await ask(first);
    } catch (firstFailure) {
      signal.throwIfAborted();
      try {
        return await ask(second);
      } catch (secondFailure) {
        signal.throwIfAborted();
        throw first === plain ? firstFailure : secondFailure;
      }
    }
  }

  #trust(host: string): Trust {
    return trustFor(host, this.#settings.certificateDirectory);
  }

  #mayBeInsecure(host: string, trust: Trust): boolean {
    const { insecure, mayBeInsecureOnLoopback } = this.#settings;
    // Who has named an authority for a host wants it verified.
    return insecure || (mayBeInsecureOnLoopback && isLoopbackHost(host) && trust.authorities.length === 0);
  }

  #connection(host: string): HttpClient {
    let connection = this.#connections.get(host);
    if (connection === undefined) {
      const trust = this.#trust(host);
      connection = new HttpClient(trust, !this.#mayBeInsecure(host, trust), this.patience);
      this.#connections.set(host, connection);
    }
    return connection;
  }

  /** An identity token, which stands in the body, goes nowhere else; a password not beyond the server that was named. */
  async #sendToTokenServer(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, body, signal, attempt } = request;
    const { authorization, ...headers } = request.headers;
    const response =
      body === undefined
        ? await this.#follow({ ...attempt, method, headers, signal, expected: [] }, url, url.origin, authorization)
        : await this.#connection(url.host).send(request);
    if (isPassing(response.status)) throw await this.#failure(response, attempt);
    return response;
  }

  /** The error, or the failure that may pass, that an answer means. */
  async #failure(
    response: HttpResponse,
    { operation, object, missingHint }: Attempt & Pick<ApiRequest, "missingHint">,
  ): Promise<BunkerError | TransientFailure> {
    const { status, headers } = response;
    const said = describeErrors(await readQuietly(response));
    const reason = `${response.url.host} answers ${status}${said === "" ? "" : `: ${said}`}`;
    const details = { operation, object, reason };
    if (status === 404 && missingHint !== undefined) {
      // Some registries deny that there is what they do not show to everybody.
      const login = (await this.#lacksLogin()) ? `, or log in if it is private: bunker login ${this.registry}` : "";
      return new BunkerError({ ...details, code: "image_not_found", hint: `${missingHint}${login}` });
    }
    if (!isPassing(status)) return new BunkerError({ ...details, ...this.#lastingFailure(status, said) });
    const delay = retryAfter(headers);
    const code = status === 429 ? "registry_rate_limited" : "registry_failed";
    const login = status === 429 && (await this.#lacksLogin()) ? `, or log in: bunker login ${this.registry}` : ".";
    return new TransientFailure(
      new BunkerError({ ...details, code, hint: `Try again ${whenAgain(delay)}${login}` }),
      delay,
    );
  }

  /** Whether to advise to log in. What is wrong with the logins that are kept is not what failed here. */
  async #lacksLogin(): Promise<boolean> {
    return !(await this.#authorization.hasCredentials().catch(() => true));
  }

  #lastingFailure(status: number, said: string): { code: string; hint?: string } {
    const login = `bunker login ${this.registry}`;
    if (status === 401) return { code: "registry_unauthorized", hint: `Check the name, or log in with: ${login}` };
    if (status === 403) return { code: "registry_denied", hint: `Log in as somebody who may do that: ${login}` };
    if (status === 404) return { code: "image_not_found" };
    if (said.includes("DIGEST_INVALID")) return { code: "digest_mismatch" };
    return { code: status >= 500 ? "registry_failed" : "registry_refused" };
  }
}

function refusal({ operation, object }: Attempt, host: string, code: string, reason: string): BunkerError {
  return new BunkerError({ operation, object, code, reason: `${host}: ${reason}` });
}

/** `in 90 seconds`; a server may also write a time that is past, or that nobody will see. */
function whenAgain(milliseconds = 0): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds > 0 && seconds <= LONGEST_WAIT ? `in ${seconds} seconds` : "later";
}

/** Too many requests, a request that timed out, and faults of servers; 501 and 505 will not pass. */
function isPassing(status: number): boolean {
  return status === 429 || status === 408 || (status >= 500 && status !== 501 && status !== 505);
}

async function readQuietly(response: HttpResponse): Promise<Buffer | undefined> {
  try {
    return await response.whole(LARGEST_ERROR);
  } catch {
    return undefined;
  }
}

/** `MANIFEST_UNKNOWN: manifest unknown`; empty where the body is not in the form of the specification. */
function describeErrors(bytes: Buffer | undefined): string {
  if (bytes === undefined || bytes.length === 0) return "";
  try {
    const { errors } = v.parse(errorBody, JSON.parse(bytes.toString("utf8")));
    const texts = errors.map(({ code, message }) => [code, message].filter((text) => text !== "").join(": "));
    return texts.slice(0, 3).join("; ").slice(0, 300);
  } catch {
    return "";
  }
}
