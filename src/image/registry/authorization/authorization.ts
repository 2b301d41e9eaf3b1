/*
 * How requests to one registry are authorized: the token flow of the distribution specification and basic
 * authentication.
 *
 * The first request goes without; the registry's challenge says what it wants. For `Bearer` a token is fetched from the
 * challenge's realm (by GET with the password, or by POST as OAuth 2 says with an identity token) for a scope, such as
 * `repository:library/debian:pull`, and kept for its life, so that later requests for the scope carry it at once. When
 * a token is refused in the middle of a transfer it is fetched anew.
 *
 * The realm is another host, that the registry names. That is how the protocol is meant, but a password never goes to
 * one without TLS when the registry itself has TLS.
 */
import * as v from "valibot";
import { BunkerError } from "../../../sys/error.ts";
import type { Credentials } from "../credentials/credentials.ts";
import type { Attempt } from "../http/failure.ts";
import type { HttpRequest, HttpResponse } from "../http/http-client.ts";
import type { Challenge } from "./challenge.ts";

/** Bytes of a token server's answer. */
const LARGEST_ANSWER = 1 << 20;
/** Milliseconds that a token without a stated life is valid; distribution specification, token authentication. */
const USUAL_LIFE = 60_000;
/** Milliseconds before its end at which a token is not used any more. */
const MARGIN = 10_000;

const tokenAnswer = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  expires_in: v.nullish(v.number()),
});

interface Token {
  readonly value: string;
  /** By `performance.now()`: this machine's clock may be wrong. */
  readonly ends: number;
}

/** What requests to one registry are authorized with. */
export interface AuthorizationSettings {
  /** `HOST[:PORT]` as the user knows it, for messages. */
  readonly registry: string;
  /** Looks up who the user is; asked once. */
  credentials(): Promise<Credentials | undefined>;
  /** Sends a request to a token server, repeating it after passing failures. */
  send(request: HttpRequest): Promise<HttpResponse>;
}

/** Authorizations for one registry and one user, kept for the life of the object. */
export class Authorization {
  readonly #settings: AuthorizationSettings;
  #credentials: Promise<Credentials | undefined> | undefined;
  /** By scopes. A token that is being fetched is not fetched twice. */
  readonly #tokens = new Map<string, Promise<Token>>();
  /** The challenge that was answered last, which the next scope will be asked for by as well. */
  #challenge: Challenge | undefined;

  constructor(settings: AuthorizationSettings) {
    this.#settings = settings;
  }

  /**
   * The Authorization header for a request, as far as it is known what the registry wants.
   * @returns undefined before the first challenge
   */
  async header(scopes: readonly string[], signal: AbortSignal, attempt: Attempt): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === "basic") return this.#basic();
    return this.#bearer(this.#challenge, scopes, signal, attempt, undefined);
  }

  /**
   * Answers the challenges of a refused request.
   * @param sent the header that the refused request had
   * @returns the header to send it with; undefined when there is nothing left to try
   * @throws BunkerError `registry_unauthorized`, and what the token server can meet
   */
  async answer(
    challenges: readonly Challenge[],
    scopes: readonly string[],
    sent: string | undefined,
    signal: AbortSignal,
    attempt: Attempt,
    isSecure: boolean,
  ): Promise<string | undefined> {
    const bearer = challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
    if (bearer !== undefined) {
      const insecureRealm = isSecure && URL.parse(bearer.parameters.get("realm") ?? "")?.protocol === "http:";
      if (insecureRealm && (await this.#known()) !== undefined) throw this.#insecureRealm(bearer, attempt);
      this.#challenge = bearer;
      return this.#bearer(bearer, scopes, signal, attempt, sent);
    }
    if (sent === undefined && challenges.some(({ scheme }) => scheme === "basic")) {
      const header = await this.#basic();
      if (header !== undefined) this.#challenge = { scheme: "basic", parameters: new Map() };
      return header;
    }
    return undefined;
  }

  /** Whether there are credentials to send. */
  async hasCredentials(): Promise<boolean> {
    return (await this.#known()) !== undefined;
  }

  #known(): Promise<Credentials | undefined> {
    this.#credentials ??= this.#settings.credentials();
    return this.#credentials;
  }

  async #basic(): Promise<string | undefined> {
    const credentials = await this.#known();
    return credentials?.kind === "password" ? basicHeader(credentials) : undefined;
  }

  /** @param refused the header that the registry does not accept (any more) */
  async #bearer(
    challenge: Challenge,
    scopes: readonly string[],
    signal: AbortSignal,
    attempt: Attempt,
    refused: string | undefined,
  ): Promise<string> {
    for (let known = this.#tokens.get(key(scopes)); known !== undefined; ) {
      const token = await known;
      const header = `Bearer ${token.value}`;
      if (header !== refused && performance.now() < token.ends) return header;
      // Of several requests that have met its end, one fetches the next token for all.
      const newer = this.#tokens.get(key(scopes));
      if (newer === known) break;
      known = newer;
    }
    const fetched = this.#fetchToken(challenge, scopes, signal, attempt);
    this.#tokens.set(key(scopes), fetched);
    try {
      return `Bearer ${(await fetched).value}`;
    } catch (error) {
      if (this.#tokens.get(key(scopes)) === fetched) this.#tokens.delete(key(scopes));
      throw error;
    }
  }

  async #fetchToken(
    { parameters }: Challenge,
    scopes: readonly string[],
    signal: AbortSignal,
    attempt: Attempt,
  ): Promise<Token> {
    const credentials = await this.#known();
    const realm = URL.parse(parameters.get("realm") ?? "");
    if (realm === null || (realm.protocol !== "https:" && realm.protocol !== "http:")) {
      throw failure(attempt, "registry_failed", `the realm of its tokens is no URL`);
    }
    const service = parameters.get("service") ?? "";
    const wanted = withChallengesScope(scopes, parameters.get("scope") ?? "");
    const asked = performance.now();
    const response = await this.#settings.send(
      credentials?.kind === "identity-token"
        ? exchangeRequest(realm, service, wanted, credentials.token, signal, attempt)
        : passwordRequest(realm, service, wanted, credentials, signal, attempt),
    );
    const bytes = await response.whole(LARGEST_ANSWER);
    if (response.status === 401 || response.status === 403 || response.status === 400) {
      throw this.#refused(credentials !== undefined, attempt);
    }
    if (response.status !== 200) {
      throw failure(attempt, "registry_failed", `${realm.host}: the token server answers ${response.status}`);
    }
    const answer = parseAnswer(bytes);
    // Servers that have one of the two may write the other, too, with nothing in it.
    const value = answer?.token || answer?.access_token || "";
    if (value === "" || /[^\x21-\x7e]/.test(value)) {
      throw failure(attempt, "registry_failed", `${realm.host}: the token server's answer has no token`);
    }
    const life = answer?.expires_in == null ? USUAL_LIFE : Math.max(answer.expires_in * 1000, USUAL_LIFE);
    return { value, ends: asked + life - MARGIN };
  }

  #refused(hadCredentials: boolean, attempt: Attempt): BunkerError {
    const { registry } = this.#settings;
    return new BunkerError({
      ...attempt,
      code: "registry_unauthorized",
      reason: hadCredentials ? `${registry} does not accept the user name or password` : `${registry} wants a login`,
      hint: `Log in with: bunker login ${registry}`,
    });
  }

  #insecureRealm(challenge: Challenge, attempt: Attempt): BunkerError {
    const realm = challenge.parameters.get("realm") ?? "";
    return failure(attempt, "registry_untrusted", `it wants the password sent to ${realm}, without TLS`);
  }
}

/** `Authorization: Basic`; RFC 7617, in UTF-8. */
function basicHeader({ user, password }: Extract<Credentials, { kind: "password" }>): string {
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}

function passwordRequest(
  realm: URL,
  service: string,
  scopes: readonly string[],
  credentials: Extract<Credentials, { kind: "password" }> | undefined,
  signal: AbortSignal,
  attempt: Attempt,
): HttpRequest {
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  if (credentials !== undefined) url.searchParams.set("account", credentials.user);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers = credentials === undefined ? {} : { authorization: basicHeader(credentials) };
  return { method: "GET", url, headers, signal, attempt };
}

/** RFC 6749, section 6, as Docker's token servers take it. */
function exchangeRequest(
  url: URL,
  service: string,
  scopes: readonly string[],
  token: string,
  signal: AbortSignal,
  attempt: Attempt,
): HttpRequest {
  const form = new URLSearchParams({ grant_type: "refresh_token", service, client_id: "bunker", refresh_token: token });
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  const bytes = Buffer.from(form.toString());
  const body = {
    length: bytes.length,
    async *open() {
      yield bytes;
    },
  };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url, headers, body, signal, attempt };
}

function parseAnswer(bytes: Buffer | undefined): v.InferOutput<typeof tokenAnswer> | undefined {
  if (bytes === undefined) return undefined;
  try {
    return v.parse(tokenAnswer, JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined;
  }
}

/** What is needed, and what else the registry says that it takes. */
function withChallengesScope(scopes: readonly string[], challenged: string): readonly string[] {
  return [...scopes, ...challenged.split(" ").filter((scope) => scope !== "" && !scopes.includes(scope))];
}

function key(scopes: readonly string[]): string {
  return scopes.join(" ");
}

function failure(attempt: Attempt, code: string, reason: string): BunkerError {
  return new BunkerError({ ...attempt, code, reason });
}
