/*
 * Names of images in registries, as Docker reads them (distribution/reference, "normalized named"):
 *
 *   [REGISTRY/]REPOSITORY[:TAG][@DIGEST]
 *
 * What stands before the first slash is a registry if it could be a host (it has a dot, a colon or a capital letter, or
 * is `localhost`); otherwise the registry is docker.io, where a repository of one component is `library/…`. The short
 * form that users know and the full form that is stored and compared are two ways to write one `Reference`.
 */
import { BunkerError } from "../sys/error.ts";
import type { Digest } from "./digest.ts";

/** Where an image is in which registry. */
export interface Reference {
  /** Host with an optional port: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** `library/debian` */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/** The registry of short names. */
const DOCKER_HUB = "docker.io";
const OFFICIAL_PREFIX = "library/";
const DEFAULT_TAG = "latest";
/** Characters of registry and repository together. */
const LONGEST_NAME = 255;

const SLASH = 0x2f;

/**
 * Reads a name. A missing tag stays missing; `withDefaultTag` adds the usual one.
 * @throws BunkerError `invalid_reference`
 */
export function parseReference(text: string): Reference {
  if (text === "") throw invalid(text, "it is empty");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  // A colon after the last slash begins a tag; one before it, a port.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const { registry, repository } = splitRegistry(name);
  // What most names are is told without patterns: each takes 0.1 ms and more when it is first tried.
  if (registry !== DOCKER_HUB && !isHost(registry)) {
    throw invalid(text, `${JSON.stringify(registry)} is no registry's host`);
  }
  if (!isPlain(repository) && !isRepository(repository)) {
    const isUpper = repository !== repository.toLowerCase();
    throw invalid(
      text,
      isUpper ? "repository names are in lower case" : `${JSON.stringify(repository)} is no repository's name`,
    );
  }
  if (registry.length + 1 + repository.length > LONGEST_NAME) {
    throw invalid(text, `registry and repository have more than ${LONGEST_NAME} characters`);
  }
  if (tag !== undefined && tag !== DEFAULT_TAG && !isTag(tag)) throw invalid(text, `${JSON.stringify(tag)} is no tag`);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `${JSON.stringify(digest)} is no digest`);
  if (registry === DOCKER_HUB && text.length === 64 && isHexadecimal(text)) {
    throw invalid(text, "64 hexadecimal digits are an image's id and cannot be its name");
  }
  return { registry, repository, tag, digest: digest as Digest | undefined };
}

/*
 * Patterns are compiled when they are first tried, and read when a function is first called that has one: each takes some
 * 0.1 ms. So each has a function of its own, which is called where the usual cannot be told without.
 */

function isHost(text: string): boolean {
  return /^(?:\[[0-9a-fA-F:]+\]|(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*)(?::[0-9]{1,5})?$/.test(
    text,
  );
}

/** Whether a text is a repository's name, however long, without a registry. */
export function isRepository(text: string): boolean {
  return /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/.test(text);
}

/** Whether a text is a tag. */
export function isTag(text: string): boolean {
  return /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/.test(text);
}

/** Whether a text is a digest of a kind that images have. */
export function isDigest(text: string): boolean {
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text);
}

function isHexadecimal(text: string): boolean {
  return /^[0-9a-f]+$/.test(text);
}

/** Whether what stands before a slash is a registry and no part of a repository's name. */
function namesRegistry(text: string): boolean {
  return text === "localhost" || /[.:A-Z]/.test(text);
}

/** Whether a repository's name has small letters, digits and slashes between them alone. */
function isPlain(repository: string): boolean {
  let before = SLASH;
  for (let index = 0; index < repository.length; index++) {
    const code = repository.charCodeAt(index);
    const isAlphanumeric = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
    if (!isAlphanumeric && (code !== SLASH || before === SLASH)) return false;
    before = code;
  }
  return before !== SLASH;
}

function splitRegistry(name: string): Pick<Reference, "registry" | "repository"> {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  if (first === "" || !namesRegistry(first))
    return { registry: DOCKER_HUB, repository: slash < 0 ? OFFICIAL_PREFIX + name : name };
  const rest = name.slice(slash + 1);
  const registry = first === "index.docker.io" ? DOCKER_HUB : first;
  return { registry, repository: registry === DOCKER_HUB && !rest.includes("/") ? OFFICIAL_PREFIX + rest : rest };
}

function invalid(text: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_reference",
    operation: "read the image name",
    object: JSON.stringify(text),
    reason,
    hint: "Names are written [REGISTRY/]REPOSITORY[:TAG][@DIGEST].",
  });
}

/** The same with the tag `latest`, unless it has a tag or a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** Registry and repository: `docker.io/library/debian`. */
export function fullRepository({ registry, repository }: Reference): string {
  return `${registry}/${repository}`;
}

/** Registry and repository as users write them: `debian`. */
export function familiarRepository({ registry, repository }: Reference): string {
  if (registry !== DOCKER_HUB) return `${registry}/${repository}`;
  const short = repository.startsWith(OFFICIAL_PREFIX) ? repository.slice(OFFICIAL_PREFIX.length) : repository;
  return short.includes("/") ? repository : short;
}

/** The full form, which is stored and compared: `docker.io/library/debian:12`. */
export function formatReference(reference: Reference): string {
  return fullRepository(reference) + suffix(reference);
}

/** The form that users know: `debian:12`. */
export function familiarReference(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}
