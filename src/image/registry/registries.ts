/*
 * What one command knows of registries: its settings, the configuration, connections, and the tokens that it was given.
 * Readers and writers share one, so a second image from a registry costs no new connection and no new token.
 */
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { statusIfThere } from "../../sys/named-file.ts";
import { FileMode, isType } from "../../sys/stat.ts";
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
  readonly #onWarning: (message: string) => void;
  readonly #warnings = new Set<string>();
  #file: RegistriesFile | undefined;

  /** @param onWarning is told, once each, of what is left out of a look-up of logins, and of what registries warn of */
  constructor(settings: RegistrySettings, onWarning: (message: string) => void) {
    this.#settings = settings;
    this.#onWarning = onWarning;
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
    const { registry } = reference;
    return pullEndpoints(this.#configuration(), reference).map((endpoint) => this.#repository(endpoint, registry));
  }

  /**
   * Where a name is pushed to.
   * @throws BunkerError as `forPull`
   */
  forPush(reference: Reference): Repository {
    return this.#repository(pushEndpoint(this.#configuration(), reference), reference.registry);
  }

  /**
   * The client for a registry itself.
   * @throws BunkerError as `forPull`
   */
  registry(registry: string): RegistryClient {
    return this.#client(registryEndpoint(this.#configuration(), registry), registry);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }

  #configuration(): RegistriesFile {
    this.#file ??= readRegistriesFiles();
    return this.#file;
  }

  #repository(endpoint: Endpoint, named: string): Repository {
    return { client: this.#client(endpoint, named), path: endpoint.repository };
  }

  /**
   * Logins may be for parts of a registry, so there is one client for each repository.
   * @param named the registry that the user has named, and means by the login that he gave
   */
  #client(endpoint: Endpoint, named: string): RegistryClient {
    const { registry, repository, insecure } = endpoint;
    const name = repository === "" ? registry : fullRepository({ ...endpoint, tag: undefined, digest: undefined });
    const credentials = registry === named ? this.#settings.credentials : undefined;
    const key = `${name} ${insecure} ${credentials === undefined}`;
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
      const needsLogin = credentials === undefined && !withoutLogin;
      if (needsLogin && authFile !== undefined) checkAuthFile(authFile);
      if (certificateDirectory !== undefined) checkCertificateDirectory(certificateDirectory);
      client = new RegistryClient({
        registry,
        insecure: tlsVerify === undefined ? insecure : !tlsVerify,
        mayBeInsecureOnLoopback: tlsVerify === undefined,
        certificateDirectory,
        patience: adjustedPatience(patience, { retries, delay: retryDelay }),
        onWarning: (message) => this.#warn(message),
        credentials: async () => (needsLogin ? await this.#keptLogin(authFile, name) : credentials),
      });
      this.#clients.set(key, client);
    }
    return client;
  }

  /**
   * What is public can be had without a login, so a helper that is not installed, or is locked, and an entry that is none
   * stop nobody. Whoever is refused then has read why.
   */
  #keptLogin(file: string | undefined, name: string): Promise<Credentials | undefined> {
    const { credentialHelpers: helpers } = this.#configuration();
    return findCredentials({ file, helpers }, name, ({ message }) => {
      this.#warn(`${message}; going on without that login`);
    });
  }

  #warn(message: string): void {
    if (this.#warnings.has(message)) return;
    this.#warnings.add(message);
    this.#onWarning(message);
  }
}

/**
 * A file that the user names is to be there, also where no login is asked for.
 * @throws BunkerError `auth_file_unreadable`
 */
function checkAuthFile(path: string): void {
  if (statusIfThere(path) !== undefined) return;
  throw new BunkerError({
    code: "auth_file_unreadable",
    operation: "read the logins in",
    object: path,
    errno: Errno.ENOENT,
    hint: "bunker login --authfile FILE makes such a file.",
  });
}

/**
 * The same of a directory with certificates, also where none is needed in the end.
 * @throws BunkerError `invalid_certificates`
 */
function checkCertificateDirectory(path: string): void {
  const status = statusIfThere(path);
  if (status !== undefined && isType(status, FileMode.directory)) return;
  throw new BunkerError({
    code: "invalid_certificates",
    operation: "read the certificates in",
    object: path,
    errno: status === undefined ? Errno.ENOENT : Errno.ENOTDIR,
    hint: "Give a directory that has them: *.crt of authorities, *.cert and *.key of the client.",
  });
}
