/*
 * The files of containers-registries.conf(5). One main file counts ($CONTAINERS_REGISTRIES_CONF, else the
 * user's, else the system's); the drop-ins of the system and then of the user, in the order of their names, replace
 * what they name: the search list, a registry of the same prefix, an alias.
 */
import { readdirSync, readFileSync } from "node:fs";
import { Errno } from "../../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { homeDirectory } from "../../../sys/home-directory.ts";
import {
  parseRegistriesFile,
  type RegistriesFileContent,
  RegistriesFileMistake,
  trimSlashes,
} from "./registries-file-format.ts";

/** The entry of `credential-helpers` that stands for the files of logins. */
export const AUTH_FILES = "containers-auth.json";

/** A `[[registry]]` with its defaults. */
export interface RegistryEntry {
  /** `docker.io/library`, `*.example.com`. */
  readonly prefix: string;
  /** What stands in the prefix's place when the registry is asked; the same unless configured. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorEntry[];
}

/** A `[[registry.mirror]]`. */
export interface MirrorEntry {
  readonly location: string;
  readonly insecure: boolean;
  readonly pulls: "all" | "digest-only" | "tag-only";
}

/** What all the files say together. */
export interface RegistriesFile {
  readonly searchRegistries: readonly string[];
  readonly shortNameMode: "enforcing" | "permissive" | "disabled";
  /** Who has logins, in the order to ask: names of helpers, and `AUTH_FILES`. */
  readonly credentialHelpers: readonly string[];
  /** By prefix. */
  readonly registries: ReadonlyMap<string, RegistryEntry>;
  /** Full names by short ones. */
  readonly aliases: ReadonlyMap<string, string>;
}

/**
 * Reads the configuration.
 * @throws BunkerError `invalid_registries_configuration` with the file and what is wrong in it
 */
export function readRegistriesFiles(): RegistriesFile {
  const registries = new Map<string, RegistryEntry>();
  const aliases = new Map<string, string>();
  let searchRegistries: readonly string[] = [];
  let credentialHelpers: readonly string[] = [];
  let shortNameMode: RegistriesFile["shortNameMode"] = "permissive";
  const [main, ...additions] = configurationFiles();
  for (const path of [main, ...additions]) {
    const content = readFile(path, path === main);
    if (content === undefined) continue;
    searchRegistries = content["unqualified-search-registries"] ?? searchRegistries;
    credentialHelpers = content["credential-helpers"] ?? credentialHelpers;
    shortNameMode = content["short-name-mode"] || shortNameMode;
    for (const entry of content.registry) {
      const prefix = trimSlashes(entry.prefix || entry.location);
      registries.set(prefix, {
        prefix,
        location: trimSlashes(entry.location || (prefix.startsWith("*.") ? "" : prefix)),
        insecure: entry.insecure,
        blocked: entry.blocked,
        mirrors: entry.mirror.map((each) => ({
          location: trimSlashes(each.location),
          insecure: each.insecure,
          pulls: entry["mirror-by-digest-only"] ? "digest-only" : each["pull-from-mirror"],
        })),
      });
    }
    for (const [name, target] of Object.entries(content.aliases)) {
      // An empty one takes away what an earlier file has said.
      if (target === "") aliases.delete(name);
      else aliases.set(name, target);
    }
  }
  if (credentialHelpers.length === 0) credentialHelpers = [AUTH_FILES];
  return { searchRegistries, shortNameMode, credentialHelpers, registries, aliases };
}

/** In the order in which they are read: the main one, and what adds to it; the last word counts. */
function configurationFiles(): readonly [main: string, ...additions: string[]] {
  const { CONTAINERS_REGISTRIES_CONF = "", XDG_CONFIG_HOME = "", XDG_CACHE_HOME = "" } = process.env;
  const home = `${XDG_CONFIG_HOME || `${homeDirectory()}/.config`}/containers`;
  const cache = `${XDG_CACHE_HOME || `${homeDirectory()}/.cache`}/containers`;
  // Where Podman keeps the short names that its user has chosen.
  const chosen = `${cache}/short-name-aliases.conf`;
  if (CONTAINERS_REGISTRIES_CONF !== "") return [CONTAINERS_REGISTRIES_CONF, chosen];
  const ofUser = `${home}/registries.conf`;
  const main = readFile(ofUser, true) === undefined ? "/etc/containers/registries.conf" : ofUser;
  return [main, ...dropIns("/etc/containers/registries.conf.d"), ...dropIns(`${home}/registries.conf.d`), chosen];
}

function dropIns(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => `${directory}/${name}`);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return [];
    throw new BunkerError({ code: CODE, operation: "read", object: directory, errno }, { cause });
  }
}

function readFile(path: string, mayBeOld: boolean): RegistriesFileContent | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    throw new BunkerError({ code: CODE, operation: "read", object: path, errno }, { cause });
  }
  try {
    return parseRegistriesFile(text, mayBeOld);
  } catch (cause) {
    if (!(cause instanceof RegistriesFileMistake)) throw cause;
    throw new BunkerError({ code: CODE, operation: "read", object: path, reason: cause.message }, { cause });
  }
}

const CODE = "invalid_registries_configuration";
