/*
 * The files of containers-registries.conf(5), version 2. One main file counts ($CONTAINERS_REGISTRIES_CONF, else the
 * user's, else the system's); the drop-ins of the system and then of the user, in the order of their names, replace
 * what they name: the search list, a registry of the same prefix, an alias.
 */
import { readdirSync, readFileSync } from "node:fs";
import * as v from "valibot";
import { Errno } from "../../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { homeDirectory } from "../../../sys/home-directory.ts";

const place = v.pipe(
  v.string(),
  v.check((text) => !/^https?:\/\//i.test(text), "it is HOST[:PORT] or HOST[:PORT]/PATH, not a URL"),
);

const mirror = v.object({
  location: v.pipe(place, v.nonEmpty("a mirror needs a location")),
  insecure: v.optional(v.boolean(), false),
  "pull-from-mirror": v.optional(v.picklist(["all", "digest-only", "tag-only"]), "all"),
});

const registry = v.pipe(
  v.object({
    prefix: v.optional(place, ""),
    location: v.optional(place, ""),
    insecure: v.optional(v.boolean(), false),
    blocked: v.optional(v.boolean(), false),
    "mirror-by-digest-only": v.optional(v.boolean(), false),
    mirror: v.optional(v.array(mirror), []),
  }),
  v.check(({ prefix, location }) => prefix !== "" || location !== "", "a registry needs a prefix or a location"),
  v.check(
    ({ prefix }) => !prefix.includes("*") || /^\*\.[^*/]+$/.test(prefix),
    "only a prefix of the form *.example.com may have a wildcard",
  ),
);

const file = v.object({
  "unqualified-search-registries": v.optional(v.array(v.string())),
  "short-name-mode": v.optional(v.picklist(["", "enforcing", "permissive", "disabled"])),
  registry: v.optional(v.array(registry), []),
  aliases: v.optional(v.record(v.string(), v.string()), {}),
  registries: v.optional(
    v.never("it is in version 1 of its format; containers-registries.conf(5) says how to convert it"),
  ),
});

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
  let shortNameMode: RegistriesFile["shortNameMode"] = "permissive";
  for (const path of configurationFiles()) {
    const content = readFile(path);
    if (content === undefined) continue;
    searchRegistries = content["unqualified-search-registries"] ?? searchRegistries;
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
  return { searchRegistries, shortNameMode, registries, aliases };
}

/** In the order in which they are read; the last word counts. */
function configurationFiles(): readonly string[] {
  const { CONTAINERS_REGISTRIES_CONF = "", XDG_CONFIG_HOME = "", XDG_CACHE_HOME = "" } = process.env;
  const home = `${XDG_CONFIG_HOME || `${homeDirectory()}/.config`}/containers`;
  const cache = `${XDG_CACHE_HOME || `${homeDirectory()}/.cache`}/containers`;
  // Where Podman keeps the short names that its user has chosen.
  const chosen = `${cache}/short-name-aliases.conf`;
  if (CONTAINERS_REGISTRIES_CONF !== "") return [CONTAINERS_REGISTRIES_CONF, chosen];
  const ofUser = `${home}/registries.conf`;
  const main = readFile(ofUser) === undefined ? "/etc/containers/registries.conf" : ofUser;
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

function readFile(path: string): v.InferOutput<typeof file> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    throw new BunkerError({ code: CODE, operation: "read", object: path, errno }, { cause });
  }
  let value: unknown;
  try {
    value = Bun.TOML.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^TOML Parse error: /, "") : String(cause);
    throw new BunkerError({ code: CODE, operation: "read", object: path, reason }, { cause });
  }
  const result = v.safeParse(file, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const member = v.getDotPath(issue);
  const reason = member === null || member === "registries" ? issue.message : `${member}: ${issue.message}`;
  throw new BunkerError({ code: CODE, operation: "read", object: path, reason });
}

const CODE = "invalid_registries_configuration";

function trimSlashes(text: string): string {
  return text.replace(/\/+$/, "");
}
