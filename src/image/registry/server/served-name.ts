import { isTag, parseReference } from "../../reference.ts";
import { isLoopbackHost } from "../http/proxy.ts";

/** What a client of the server calls an image. */
export interface ServedName {
  /** `library/debian` */
  readonly repository: string;
  readonly tag: string;
}

/**
 * What an image is served as that a layout has by some name. A name for a registry on this machine, or for Docker Hub,
 * is served without the registry; with another registry, that is the beginning of the repository's name; a plain word,
 * as `skopeo copy … oci:DIR:debian` leaves it, is a repository with the tag `latest`.
 * @returns undefined for what no client could ask for
 */
export function servedName(name: string): ServedName | undefined {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  const isOmitted = isHost && (first === "docker.io" || first.includes(":") || isLoopbackHost(first));
  const rest = isOmitted ? name.slice(slash + 1) : name;
  const colon = rest.lastIndexOf(":");
  const hasTag = colon > rest.lastIndexOf("/");
  const repository = hasTag ? rest.slice(0, colon) : rest;
  const tag = hasTag ? rest.slice(colon + 1) : "latest";
  return isServedRepository(repository) && isTag(tag) ? { repository, tag } : undefined;
}

/** Whether a text is the name of a repository that clients can ask for, without a registry. */
export function isServedRepository(text: string): boolean {
  try {
    parseReference(`localhost/${text}`);
    return !/[:@]/.test(text);
  } catch {
    return false;
  }
}
