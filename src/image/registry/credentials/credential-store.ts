/*
 * Where logins are looked up and kept: the `credential-helpers` of registries.conf in their order, as containers/image
 * has them. The entry `containers-auth.json`, the only one unless configured, stands for the files of logins
 * (login-files.ts); each other one is a helper, `docker-credential-NAME`, that has logins for whole registries.
 */
import type { BunkerError } from "../../../sys/error.ts";
import { AUTH_FILES } from "../configuration/registries-file.ts";
import {
  type CredentialHelper,
  eraseFromHelper,
  getFromHelper,
  listHelper,
  noPartsOfRegistry,
  storeInHelper,
} from "./credential-helper.ts";
import type { Credentials } from "./credentials.ts";
import {
  DOCKER_HUB_KEY,
  findInFiles,
  forgetInFiles,
  isBesideLogin,
  type KeptLogin,
  keepInFiles,
  listFiles,
  namedFile,
  normalizedKey,
  readOnlyFileWith,
} from "./login-files.ts";
import { type OnFailure, orFailure } from "./or-failure.ts";

/** Where a command looks for logins. */
export interface LoginPlaces {
  /** The only file to look into (`--authfile`); undefined for the usual ones. */
  readonly file: string | undefined;
  /** Whether that file is one of Docker's, for which alone it is then (`--compat-auth-file`). */
  readonly isForDocker?: boolean;
  /** `credential-helpers` of registries.conf. */
  readonly helpers: readonly string[];
}

/** A login that was kept. */
interface KeptSomewhere extends KeptLogin {
  /** What went wrong at the places that come before this one. */
  readonly failures: readonly BunkerError[];
}

/**
 * Looks up a login.
 * @param name `REGISTRY` or `REGISTRY/REPOSITORY`
 * @param onFailure is told of a helper that cannot be asked, and of an entry that is none, as if there was no login; it
 *   may throw the error instead
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export async function findCredentials(
  places: LoginPlaces,
  name: string,
  onFailure: OnFailure,
): Promise<Credentials | undefined> {
  for (const helper of inOrder(places)) {
    const found =
      helper === undefined
        ? await findInFiles(places.file, name, onFailure)
        : await orFailure(findInHelper(helper, registryOf(name)), onFailure);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Keeps a login at the first place that takes it.
 * @throws BunkerError what the first place says, when none takes it: `invalid_auth_file`, `auth_file_unreadable`,
 *   `auth_file_unwritable`, `credential_helper_failed`; `invalid_login` for a part of a registry whose logins a helper has
 */
export async function keepCredentials(
  places: LoginPlaces,
  name: string,
  credentials: Credentials,
): Promise<KeptSomewhere> {
  const isPart = name !== registryOf(name);
  const ordered = inOrder(places);
  // Helpers have nothing for parts of a registry, so those are for the files where there are any.
  const taking = isPart && ordered.includes(undefined) ? [undefined] : ordered;
  const failures: BunkerError[] = [];
  for (const helper of taking) {
    const kept = await orFailure(keepAt(helper, places, name, credentials), (error) => failures.push(error));
    if (kept !== undefined) return { ...kept, failures };
  }
  throw failures[0] ?? new Error("there is at least one place for logins");
}

/**
 * Forgets the login for a registry, or part of one, wherever it is kept.
 * @returns whether there was one
 * @throws BunkerError the first failure, when all places have been asked: as `keepCredentials`
 */
export async function forgetCredentials(places: LoginPlaces, name: string): Promise<boolean> {
  const registry = registryOf(name);
  const failures: BunkerError[] = [];
  let found = false;
  for (const helper of inOrder(places)) {
    if (helper !== undefined && name !== registry) continue;
    const forgotten = helper === undefined ? forgetInFiles(places.file, name) : eraseAll(helper, registry);
    if ((await orFailure(forgotten, (error) => failures.push(error))) === true) found = true;
  }
  if (failures[0] !== undefined) throw failures[0];
  return found;
}

/**
 * Tells whether there is a login for a registry, or part of one, in a file that is only read.
 * @returns the file
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export function unforgettableLogin(places: LoginPlaces, name: string): string | undefined {
  return inOrder(places).includes(undefined) ? readOnlyFileWith(places.file, name) : undefined;
}

/** The logins that could be found. */
interface LoginList {
  /** The registries, and parts of them, that there may be logins for. */
  readonly names: readonly string[];
  /** What went wrong with helpers that were asked for theirs. */
  readonly failures: readonly BunkerError[];
}

/**
 * Lists the registries that there are logins for.
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export async function listLogins(places: LoginPlaces): Promise<LoginList> {
  const names = new Set<string>();
  const failures: BunkerError[] = [];
  const onFailure: OnFailure = (error) => failures.push(error);
  for (const helper of inOrder(places)) {
    const keys =
      helper === undefined
        ? await listFiles(places.file, onFailure)
        : ((await orFailure(listHelper(helper), onFailure)) ?? []);
    for (const key of keys) if (!isBesideLogin(key)) names.add(normalizedKey(key));
  }
  return { names: [...names].sort(), failures };
}

/** The helpers, with undefined for the files. A file that the user names counts first where the list has no files. */
function inOrder({ file, helpers, isForDocker }: LoginPlaces): readonly (CredentialHelper | undefined)[] {
  // Docker knows nothing of helpers of registries.conf.
  if (isForDocker === true) return [undefined];
  const names = namedFile(file) !== undefined && !helpers.includes(AUTH_FILES) ? [AUTH_FILES, ...helpers] : helpers;
  return names.map((program) =>
    program === AUTH_FILES ? undefined : { program, namedBy: "credential-helpers of registries.conf" },
  );
}

async function keepAt(
  helper: CredentialHelper | undefined,
  { file, isForDocker }: LoginPlaces,
  name: string,
  credentials: Credentials,
): Promise<KeptLogin> {
  if (helper === undefined) return await keepInFiles(file, name, credentials, isForDocker);
  if (name !== registryOf(name)) throw noPartsOfRegistry(helper, name);
  await storeInHelper(helper, name, credentials);
  return { place: `docker-credential-${helper.program}`, isPlain: false };
}

async function findInHelper(helper: CredentialHelper, registry: string): Promise<Credentials | undefined> {
  for (const server of serversOf(registry)) {
    const found = await getFromHelper(helper, server);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function eraseAll(helper: CredentialHelper, registry: string): Promise<boolean> {
  let found = false;
  for (const server of serversOf(registry)) if (await eraseFromHelper(helper, server)) found = true;
  return found;
}

/** What Podman, and for its Hub Docker, call a registry to the helper that both may use. */
function serversOf(registry: string): readonly string[] {
  return registry === "docker.io" ? [registry, DOCKER_HUB_KEY] : [registry];
}

function registryOf(name: string): string {
  return name.split("/")[0] ?? "";
}
