/*
 * The files that logins are looked up and kept in. With a file that the user names (`--authfile`, $REGISTRY_AUTH_FILE)
 * that file alone counts. Otherwise, in this order, the first that has a login for the registry:
 *
 *   $XDG_RUNTIME_DIR/containers/auth.json   where Podman logs in, gone after a restart
 *   ~/.config/containers/auth.json          where Bunker logs in
 *   ~/.docker/config.json                   where Docker logs in ($DOCKER_CONFIG is its directory)
 *   ~/.dockercfg                            where Docker did so until 2015; only read
 *
 * Within a file a helper for the registry (`credHelpers`) goes before what the file itself holds. Logins may be for a part
 * of a registry: the longest key that is a prefix of `REGISTRY/REPOSITORY` wins. Helpers have logins for whole registries
 * only, so the helper for all (`credsStore`) is asked after the keys for parts, and before that for the registry.
 */
import { BunkerError } from "../../../sys/error.ts";
import { homeDirectory, knownHomeDirectory } from "../../../sys/home-directory.ts";
import { type AuthFile, changeAuthFile, entryCredentials, readAuthFile, readLegacyAuthFile } from "./auth-file.ts";
import {
  type CredentialHelper,
  eraseFromHelper,
  getFromHelper,
  listHelper,
  noPartsOfRegistry,
  storeInHelper,
} from "./credential-helper.ts";
import type { Credentials } from "./credentials.ts";
import { type OnFailure, orFailure } from "./or-failure.ts";

/** What Docker calls its Hub in files of logins and for helpers. */
export const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/**
 * What Docker keeps beside the login for its Hub when that was made in a browser: tokens for others of the Hub's services.
 * They are no logins, and go with the one that they belong to.
 */
const DOCKER_HUB_TOKENS: readonly string[] = [`${DOCKER_HUB_KEY}access-token`, `${DOCKER_HUB_KEY}refresh-token`];

/** Who keeps the logins for a registry instead of a file. */
interface FileHelper extends CredentialHelper {
  /** What it knows the registry as. */
  readonly server: string;
  /** Whether it has the logins for all registries. */
  readonly isForAll: boolean;
}

/** Where a login was kept. */
export interface KeptLogin {
  /** The file, or the program of a helper. */
  readonly place: string;
  /** Whether the password stands there for whoever can read the file. */
  readonly isPlain: boolean;
}

/**
 * Looks up a login.
 * @param file the only file to look into; undefined for the usual ones
 * @param name `REGISTRY` or `REGISTRY/REPOSITORY`
 * @param onFailure is told of a helper that cannot be asked, and of an entry that is none, as if there was no login
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export async function findInFiles(
  file: string | undefined,
  name: string,
  onFailure: OnFailure,
): Promise<Credentials | undefined> {
  const [registry = ""] = name.split("/");
  for (const { path, content } of readableFiles(file)) {
    const helper = helperFor(path, content, registry);
    const fromHelper = async () =>
      helper === undefined ? undefined : await orFailure(getFromHelper(helper, helper.server), onFailure);
    const fromFile = (isMeant: (key: string) => boolean) => {
      for (const key of matchingKeys(content, name).filter(isMeant)) {
        try {
          const credentials = entryCredentials(path, content, key);
          if (credentials !== undefined) return credentials;
        } catch (error) {
          if (!(error instanceof BunkerError)) throw error;
          onFailure(error);
        }
      }
      return undefined;
    };
    const isForAll = (key: string) => normalizedKey(key) === registry;
    const found =
      helper?.isForAll === true
        ? (fromFile((key) => !isForAll(key)) ?? (await fromHelper()) ?? fromFile(isForAll))
        : ((await fromHelper()) ?? fromFile(() => true));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Keeps a login: where there is one for the registry already, else with Docker's helper where there is one, else in
 * `~/.config/containers/auth.json`.
 * @param isForDocker whether Docker is to find it: Docker has a key of its own for its Hub, and no logins for parts
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`, `auth_file_unwritable`, `credential_helper_failed`;
 *   `invalid_login` for a part of a registry whose logins a helper has
 */
export async function keepInFiles(
  file: string | undefined,
  name: string,
  credentials: Credentials,
  isForDocker = false,
): Promise<KeptLogin> {
  const [registry = ""] = name.split("/");
  if (isForDocker && name !== registry) throw noPartsForDocker(registry, name);
  const files = authFiles(file).map((path) => ({ path, content: readAuthFile(path) }));
  const hasHelper = ({ path, content }: (typeof files)[number]) =>
    content !== undefined && helperFor(path, content, registry) !== undefined;
  const known = files.find(({ content }) => content !== undefined && exactKeys(content, name).length > 0);
  const own = { path: file ?? ownFile(), content: readAuthFile(file ?? ownFile()) };
  const isPart = name !== registry;
  const { path, content } = known ?? (isPart ? undefined : files.find(hasHelper)) ?? own;
  const helper = content === undefined ? undefined : helperFor(path, content, registry);
  if (helper !== undefined && isPart && !helper.isForAll) throw noPartsOfRegistry(helper, name);
  if (helper !== undefined && !isPart) {
    await storeInHelper(helper, helper.server, credentials);
    return { place: `docker-credential-${helper.program}`, isPlain: false };
  }
  const keys = content === undefined ? [] : exactKeys(content, name);
  const newKey = isForDocker && name === "docker.io" ? DOCKER_HUB_KEY : name;
  changeAuthFile(path, keys.length === 0 ? [newKey] : keys, credentials);
  return { place: path, isPlain: true };
}

function noPartsForDocker(registry: string, name: string): BunkerError {
  return new BunkerError({
    code: "invalid_login",
    operation: "keep the login for",
    object: name,
    reason: "files of Docker's have logins for whole registries only",
    hint: `Log in to ${registry}, or give the file by --authfile.`,
  });
}

/**
 * Forgets the login for a registry, or part of one, wherever it is kept.
 * @returns whether there was one
 * @throws BunkerError as `keepInFiles`
 */
export async function forgetInFiles(file: string | undefined, name: string): Promise<boolean> {
  const [registry = ""] = name.split("/");
  let found = false;
  for (const path of authFiles(file)) {
    const content = readAuthFile(path);
    if (content === undefined) continue;
    const tokens = name === "docker.io" ? DOCKER_HUB_TOKENS : [];
    const helper = name === registry ? helperFor(path, content, registry) : undefined;
    if (helper !== undefined) {
      for (const server of [helper.server, ...tokens]) if (await eraseFromHelper(helper, server)) found = true;
    }
    const keys = [...exactKeys(content, name), ...tokens.filter((key) => Object.hasOwn(content.auths, key))];
    if (keys.length === 0) continue;
    changeAuthFile(path, keys, undefined);
    found = true;
  }
  return found;
}

/**
 * Lists the keys that there may be logins for.
 * @param onFailure is told of a helper that cannot be asked, as if it had no login
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export async function listFiles(file: string | undefined, onFailure: OnFailure): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const { path, content } of readableFiles(file)) {
    keys.push(...Object.keys(content.auths), ...Object.keys(content.credHelpers));
    if (content.credsStore === "") continue;
    const helper = { program: content.credsStore, namedBy: `credsStore of ${path}` };
    keys.push(...((await orFailure(listHelper(helper), onFailure)) ?? []));
  }
  return keys;
}

/**
 * Tells whether there is a login that nothing of Bunker's can forget.
 * @returns the file that has it
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export function readOnlyFileWith(file: string | undefined, name: string): string | undefined {
  const path = legacyFile(file);
  const content = path === undefined ? undefined : readLegacyAuthFile(path);
  return content !== undefined && exactKeys(content, name).length > 0 ? path : undefined;
}

/** The file that the user names, which alone counts then. */
export function namedFile(file: string | undefined): string | undefined {
  return file ?? (process.env["REGISTRY_AUTH_FILE"] || undefined);
}

function authFiles(file: string | undefined): readonly string[] {
  const { XDG_RUNTIME_DIR = "", DOCKER_CONFIG = "" } = process.env;
  const only = namedFile(file);
  if (only !== undefined) return [only];
  const ofSession = XDG_RUNTIME_DIR === "" ? [] : [`${XDG_RUNTIME_DIR}/containers/auth.json`];
  return [...ofSession, ownFile(), `${DOCKER_CONFIG || `${homeDirectory()}/.docker`}/config.json`];
}

/** The one that is read as the last, and never written. */
function legacyFile(file: string | undefined): string | undefined {
  const home = knownHomeDirectory();
  return namedFile(file) === undefined && home !== undefined ? `${home}/.dockercfg` : undefined;
}

/** What there is to look into, each read when it is its turn. */
function* readableFiles(file: string | undefined): Generator<{ readonly path: string; readonly content: AuthFile }> {
  for (const path of authFiles(file)) {
    const content = readAuthFile(path);
    if (content !== undefined) yield { path, content };
  }
  const path = legacyFile(file);
  const content = path === undefined ? undefined : readLegacyAuthFile(path);
  if (path !== undefined && content !== undefined) yield { path, content };
}

function ownFile(): string {
  const { REGISTRY_AUTH_FILE = "", XDG_CONFIG_HOME = "" } = process.env;
  return REGISTRY_AUTH_FILE || `${XDG_CONFIG_HOME || `${homeDirectory()}/.config`}/containers/auth.json`;
}

function helperFor(path: string, { credHelpers, credsStore }: AuthFile, registry: string): FileHelper | undefined {
  const isHub = registry === "docker.io";
  const key = Object.keys(credHelpers).find((name) => normalizedKey(name) === registry);
  const program = key === undefined ? credsStore : (credHelpers[key] ?? "");
  if (program === "") return undefined;
  // Podman asks for docker.io, Docker by a name of its own: whoever wrote the entry has kept the login by its key.
  const server = isHub ? (key ?? DOCKER_HUB_KEY) : registry;
  const member = key === undefined ? "credsStore" : "credHelpers";
  return { program, namedBy: `${member} of ${path}`, server, isForAll: key === undefined };
}

/** The keys that a name falls under, the longest first. */
function matchingKeys(content: AuthFile, name: string): readonly string[] {
  return Object.keys(content.auths)
    .map((key) => ({ key, prefix: normalizedKey(key) }))
    .filter(({ prefix }) => name === prefix || name.startsWith(`${prefix}/`))
    .sort((one, other) => other.prefix.length - one.prefix.length)
    .map(({ key }) => key);
}

function exactKeys(content: AuthFile, name: string): readonly string[] {
  return Object.keys(content.auths).filter((key) => normalizedKey(key) === name);
}

/** Whether a key is of what goes with a login and is none. */
export function isBesideLogin(key: string): boolean {
  return DOCKER_HUB_TOKENS.includes(key);
}

/** Docker writes some keys as URLs, and its Hub's under a name of its own. */
export function normalizedKey(key: string): string {
  if (isBesideLogin(key)) return key;
  const [, url] = /^https?:\/\/([^/]+)/.exec(key) ?? [];
  const name = url ?? key;
  return name === "index.docker.io" || name === "registry-1.docker.io" ? "docker.io" : name;
}
