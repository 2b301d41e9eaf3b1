/*
 * Which servers a name in a registry stands for: the mirrors that are configured for it, then the registry itself. The
 * entry with the longest matching prefix decides, and its location takes the prefix's place.
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
  return [...eligible.map((mirror) => relocated(reference, entry, mirror)), primary(entry, reference)];
}

/**
 * Where a name is pushed to.
 * @throws BunkerError `registry_blocked`
 */
export function pushEndpoint(file: RegistriesFile, reference: Reference): Endpoint {
  return primary(longestMatch(file, reference), reference);
}

/**
 * A registry itself, for what concerns no repository of it.
 * @throws BunkerError `registry_blocked`
 */
export function registryEndpoint(file: RegistriesFile, registry: string): Endpoint {
  return primary(longestMatch(file, { registry, repository: "", tag: undefined, digest: undefined }), {
    registry,
    repository: "",
    tag: undefined,
    digest: undefined,
  });
}

function primary(entry: RegistryEntry | undefined, reference: Reference): Endpoint {
  if (entry?.blocked === true) {
    throw new BunkerError({
      code: "registry_blocked",
      operation: "use",
      object: familiarReference(reference),
      reason: `registries.conf blocks ${entry.prefix}`,
    });
  }
  return relocated(reference, entry, { location: entry?.location ?? "", insecure: entry?.insecure ?? false });
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
  if (prefix.startsWith("*.")) return registry.replace(/:\d+$/, "").endsWith(prefix.slice(1));
  if (!name.startsWith(prefix)) return false;
  const next = name.charAt(prefix.length);
  return next === "" || next === "/" || (prefix.includes("/") && (next === ":" || next === "@"));
}

function trimSlash(text: string): string {
  return text.replace(/\/$/, "");
}
