/*
 * Which servers a name in a registry stands for when it is pulled: the mirrors that are configured for it, then the
 * registry itself. The entry with the longest matching prefix decides, and its location takes the prefix's place. All
 * else goes to the registry that is named, as containers-registries.conf(5) says.
 */
import { BunkerError } from "../../../sys/error.ts";
import { familiarReference, formatReference, fullRepository, type Reference } from "../../reference.ts";
import type { MirrorEntry, RegistriesFile, RegistryEntry } from "./registries-file.ts";

/** A repository of one server. */
export interface Endpoint {
  /** `HOST[:PORT]` as it is configured: what credentials and certificates are looked up for. */
  readonly registry: string;
  readonly repository: string;
  /** Whether the configuration says that it may do without TLS, or with a certificate that nobody vouches for. */
  readonly insecure: boolean;
}

/** Docker Hub's API is not where its name says. */
const API_HOSTS: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };

/** The host of a registry's API. */
export function apiHost(registry: string): string {
  return API_HOSTS[registry] ?? registry;
}

/**
 * Where a name is pulled from, in the order to try.
 * @throws BunkerError `registry_blocked`
 */
export function pullEndpoints(file: RegistriesFile, reference: Reference): readonly Endpoint[] {
  const entry = longestMatch(file, reference);
  const isDigest = reference.digest !== undefined;
  const eligible = (entry?.mirrors ?? []).filter(
    ({ pulls }) => pulls === "all" || (pulls === "digest-only") === isDigest,
  );
  refuseBlocked(entry, reference);
  const own = { location: entry?.location ?? "", insecure: entry?.insecure ?? false };
  return [...eligible, own].map((place) => relocated(reference, entry, place));
}

/**
 * Where a name is pushed to, and its tags are listed.
 * @throws BunkerError `registry_blocked`
 */
export function pushEndpoint(file: RegistriesFile, reference: Reference): Endpoint {
  const entry = longestMatch(file, reference);
  refuseBlocked(entry, reference);
  const { registry, repository } = reference;
  return { registry, repository, insecure: entry?.insecure ?? false };
}

/**
 * A registry itself, for what concerns no repository of it.
 * @throws BunkerError `registry_blocked`
 */
export function registryEndpoint(file: RegistriesFile, registry: string): Endpoint {
  return pushEndpoint(file, { registry, repository: "", tag: undefined, digest: undefined });
}

function refuseBlocked(entry: RegistryEntry | undefined, reference: Reference): void {
  if (entry?.blocked !== true) return;
  throw new BunkerError({
    code: "registry_blocked",
    operation: "use",
    object: familiarReference(reference),
    reason: `registries.conf blocks ${entry.prefix}`,
  });
}

/** The repository with a location in the place of the prefix that matched. */
function relocated(
  reference: Reference,
  entry: RegistryEntry | undefined,
  { location, insecure }: Pick<MirrorEntry, "location" | "insecure">,
): Endpoint {
  if (entry === undefined || location === "") {
    return { registry: reference.registry, repository: reference.repository, insecure };
  }
  const name = fullRepository(reference);
  // A wildcard stands for a host only. A prefix may end behind the repository, at a tag.
  const matched = entry.prefix.startsWith("*.") ? reference.registry.length : entry.prefix.length;
  const moved = trimSlash(location + name.slice(Math.min(matched, name.length)));
  const slash = moved.indexOf("/");
  if (slash < 0) return { registry: moved, repository: reference.repository, insecure };
  return { registry: moved.slice(0, slash), repository: moved.slice(slash + 1), insecure };
}

function longestMatch(file: RegistriesFile, reference: Reference): RegistryEntry | undefined {
  const name = reference.repository === "" ? reference.registry : formatReference(reference);
  let longest: RegistryEntry | undefined;
  for (const entry of file.registries.values()) {
    if (!matches(entry.prefix, name, reference.registry)) continue;
    if (longest === undefined || entry.prefix.length > longest.prefix.length) longest = entry;
  }
  return longest;
}

/** Prefixes end at the end of a part of the name: `example.com/a` matches neither `/ab` nor another port. */
function matches(prefix: string, name: string, registry: string): boolean {
  if (prefix.startsWith("*.")) {
    const suffix = prefix.slice(1);
    return registry.endsWith(suffix) || registry.replace(/:\d+$/, "").endsWith(suffix);
  }
  if (!name.startsWith(prefix)) return false;
  const next = name.charAt(prefix.length);
  return next === "" || next === "/" || (prefix.includes("/") && (next === ":" || next === "@"));
}

function trimSlash(text: string): string {
  return text.replace(/\/$/, "");
}
