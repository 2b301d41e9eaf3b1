/*
 * Where logins are looked up and kept. With a file that the user names (`--authfile`, $REGISTRY_AUTH_FILE) that file
 * alone counts. Otherwise, in this order, the first that has a login for the registry:
 *
 *   $XDG_RUNTIME_DIR/containers/auth.json   where Podman logs in, gone after a restart
 *   ~/.config/containers/auth.json          where Bunker logs in
 *   ~/.docker/config.json                   where Docker logs in ($DOCKER_CONFIG is its directory)
 *
 * Within a file a helper for the registry (`credHelpers`) goes before the helper for all (`credsStore`), and that before
 * what the file itself holds. Logins may be for a part of a registry: the longest key that is a prefix of
 * `REGISTRY/REPOSITORY` wins.
 */
import { homeDirectory } from "../../../sys/home-directory.ts";
import { type AuthFile, changeAuthFile, entryCredentials, readAuthFile } from "./auth-file.ts";
import { eraseFromHelper, getFromHelper, listHelper, storeInHelper } from "./credential-helper.ts";
import type { Credentials } from "./credentials.ts";

/** What Docker calls its Hub in files of logins and for helpers. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/** Where a login was kept. */
interface KeptLogin {
  /** The file, or the program of a helper. */
  readonly place: string;
  /** Whether the password stands there for whoever can read the file. */
  readonly isPlain: boolean;
}

/**
 * Looks up a login.
 * @param file the only file to look into; undefined for the usual ones
 * @param name `REGISTRY` or `REGISTRY/REPOSITORY`
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`, `credential_helper_failed`
 */
export async function findCredentials(file: string | undefined, name: string): Promise<Credentials | undefined> {
  const [registry = ""] = name.split("/");
  for (const path of authFiles(file)) {
    const content = readAuthFile(path);
    if (content === undefined) continue;
    const helper = helperFor(content, registry);
    const kept = helper === undefined ? undefined : await getFromHelper(helper, serverName(registry));
    if (kept !== undefined) return kept;
    for (const key of matchingKeys(content, name)) {
      const credentials = entryCredentials(path, content, key);
      if (credentials !== undefined) return credentials;
    }
  }
  return undefined;
}

/**
 * Keeps a login: where there is one for the registry already, else with Docker's helper where there is one, else in
 * `~/.config/containers/auth.json`.
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`, `auth_file_unwritable`, `credential_helper_failed`
 */
export async function keepCredentials(
  file: string | undefined,
  name: string,
  credentials: Credentials,
): Promise<KeptLogin> {
  const [registry = ""] = name.split("/");
  const files = authFiles(file).map((path) => ({ path, content: readAuthFile(path) }));
  const known = files.find(({ content }) => content !== undefined && exactKey(content, name) !== undefined);
  const helped = files.find(({ content }) => content !== undefined && helperFor(content, registry) !== undefined);
  const chosen = known ?? helped;
  const helper = chosen?.content === undefined ? undefined : helperFor(chosen.content, registry);
  if (helper !== undefined) {
    await storeInHelper(helper, serverName(registry), credentials);
    return { place: `docker-credential-${helper}`, isPlain: false };
  }
  const path = chosen?.path ?? file ?? ownFile();
  const key = chosen?.content === undefined ? undefined : exactKey(chosen.content, name);
  changeAuthFile(path, key ?? name, credentials);
  return { place: path, isPlain: true };
}

/**
 * Forgets the login for a registry, or part of one, wherever it is kept.
 * @returns whether there was one
 * @throws BunkerError as `keepCredentials`
 */
export async function forgetCredentials(file: string | undefined, name: string): Promise<boolean> {
  const [registry = ""] = name.split("/");
  let found = false;
  for (const path of authFiles(file)) {
    const content = readAuthFile(path);
    if (content === undefined) continue;
    const helper = helperFor(content, registry);
    if (helper !== undefined && (await eraseFromHelper(helper, serverName(registry)))) found = true;
    const key = exactKey(content, name);
    if (key === undefined) continue;
    changeAuthFile(path, key, undefined);
    found = true;
  }
  return found;
}

/**
 * The registries, and parts of them, that there are logins for.
 * @throws BunkerError as `findCredentials`
 */
export async function listLogins(file: string | undefined): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const path of authFiles(file)) {
    const content = readAuthFile(path);
    if (content === undefined) continue;
    for (const key of Object.keys(content.auths)) names.add(normalizedKey(key));
    for (const registry of Object.keys(content.credHelpers)) names.add(normalizedKey(registry));
    if (content.credsStore !== "")
      for (const key of await listHelper(content.credsStore)) names.add(normalizedKey(key));
  }
  return [...names].sort();
}

function authFiles(file: string | undefined): readonly string[] {
  const { REGISTRY_AUTH_FILE = "", XDG_RUNTIME_DIR = "", DOCKER_CONFIG = "" } = process.env;
  const only = file ?? (REGISTRY_AUTH_FILE || undefined);
  if (only !== undefined) return [only];
  const ofSession = XDG_RUNTIME_DIR === "" ? [] : [`${XDG_RUNTIME_DIR}/containers/auth.json`];
  return [...ofSession, ownFile(), `${DOCKER_CONFIG || `${homeDirectory()}/.docker`}/config.json`];
}

function ownFile(): string {
  const { REGISTRY_AUTH_FILE = "", XDG_CONFIG_HOME = "" } = process.env;
  return REGISTRY_AUTH_FILE || `${XDG_CONFIG_HOME || `${homeDirectory()}/.config`}/containers/auth.json`;
}

function helperFor(content: AuthFile, registry: string): string | undefined {
  const key = Object.keys(content.credHelpers).find((name) => normalizedKey(name) === registry);
  return (key === undefined ? content.credsStore : content.credHelpers[key]) || undefined;
}

function serverName(registry: string): string {
  return registry === "docker.io" ? DOCKER_HUB_KEY : registry;
}

/** The keys that a name falls under, the longest first. */
function matchingKeys(content: AuthFile, name: string): readonly string[] {
  return Object.keys(content.auths)
    .map((key) => ({ key, prefix: normalizedKey(key) }))
    .filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`))
    .sort((one, other) => other.prefix.length - one.prefix.length)
    .map(({ key }) => key);
}

function exactKey(content: AuthFile, name: string): string | undefined {
  return Object.keys(content.auths).find((key) => normalizedKey(key) === name);
}

/** Docker writes some keys as URLs, and its Hub's under a name of its own. */
function normalizedKey(key: string): string {
  const [, url] = /^https?:\/\/([^/]+)/.exec(key) ?? [];
  const name = url ?? key;
  return name === "index.docker.io" || name === "registry-1.docker.io" ? "docker.io" : name;
}
