/*
 * What one command knows of registries: its settings, the configuration, connections, and the tokens that it was given.
 * Readers and writers share one, so a second image from a registry costs no new connection and no new token.
 */
import { fullRepository, type Reference } from "../reference.ts";
import { type Endpoint, pullEndpoints, pushEndpoint, registryEndpoint } from "./configuration/endpoints.ts";
import { type RegistriesFile, readRegistriesFiles } from "./configuration/registries-file.ts";
import { resolveShortName } from "./configuration/short-names.ts";
import { findCredentials } from "./credentials/credential-store.ts";
import type { Credentials } from "./credentials/credentials.ts";
import { adjustedPatience, USUAL_PATIENCE } from "./patience.ts";
import { RegistryClient } from "./registry-client.ts";
import type { RegistrySettings } from "./registry-settings.ts";

/** A repository of a server, and whom to ask about it. */
export interface Repository {
  readonly client: RegistryClient;
  /** `library/debian`, as the server knows it. */
  readonly path: string;
}

export class Registries implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #clients = new Map<string, RegistryClient>();
  #file: RegistriesFile | undefined;

  constructor(settings: RegistrySettings = {}) {
    this.#settings = settings;
  }

  /**
   * The names that a user's name may stand for, in the order to try: one, unless registries.conf has several registries
   * for short names.
   * @throws BunkerError `invalid_reference`, `ambiguous_short_name`, `invalid_registries_configuration`
   */
  resolveName(text: string): readonly Reference[] {
    return resolveShortName(this.#configuration(), text);
  }

  /**
   * Where a name is pulled from, in the order to try: its mirrors, then its registry.
   * @throws BunkerError `registry_blocked`, `invalid_registries_configuration`, `invalid_certificates`
   */
  forPull(reference: Reference): readonly Repository[] {
    return pullEndpoints(this.#configuration(), reference).map((endpoint) => this.#repository(endpoint));
  }

  /**
   * Where a name is pushed to.
   * @throws BunkerError as `forPull`
   */
  forPush(reference: Reference): Repository {
    return this.#repository(pushEndpoint(this.#configuration(), reference));
  }

  /**
   * The client for a registry itself.
   * @param credentials used instead of those that are kept
   * @throws BunkerError as `forPull`
   */
  registry(registry: string, credentials?: Credentials): RegistryClient {
    return this.#client({ ...registryEndpoint(this.#configuration(), registry), repository: "" }, credentials);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }

  #configuration(): RegistriesFile {
    this.#file ??= readRegistriesFiles();
    return this.#file;
  }

  #repository(endpoint: Endpoint): Repository {
    return { client: this.#client(endpoint), path: endpoint.repository };
  }

  /** Logins may be for parts of a registry, so there is one client for each repository. */
  #client(endpoint: Endpoint, credentials = this.#settings.credentials): RegistryClient {
    const { registry, repository, insecure } = endpoint;
    const name = repository === "" ? registry : fullRepository({ ...endpoint, tag: undefined, digest: undefined });
    const key = `${name} ${insecure}`;
    let client = this.#clients.get(key);
    if (client === undefined) {
      const {
        authFile,
        certificateDirectory,
        tlsVerify,
        patience = USUAL_PATIENCE,
        retries,
        retryDelay,
        withoutLogin = false,
      } = this.#settings;
      client = new RegistryClient({
        registry,
        insecure: tlsVerify === undefined ? insecure : !tlsVerify,
        mayBeInsecureOnLoopback: tlsVerify === undefined,
        certificateDirectory,
        patience: adjustedPatience(patience, { retries, delay: retryDelay }),
        credentials: async () => credentials ?? (withoutLogin ? undefined : await findCredentials(authFile, name)),
      });
      this.#clients.set(key, client);
    }
    return client;
  }
}
