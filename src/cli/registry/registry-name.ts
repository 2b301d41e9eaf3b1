import { parseReference } from "../../image/reference.ts";
import { BunkerError } from "../../sys/error.ts";

/** A registry, or a part of one, that somebody can be logged in to. */
export interface LoginName {
  /** `HOST[:PORT]` */
  readonly registry: string;
  /** `HOST[:PORT]`, or with a repository behind it. */
  readonly name: string;
}

/**
 * Reads the name of a registry as users of Docker and Podman write it: `HOST[:PORT]`, `HOST[:PORT]/REPOSITORY`, or the
 * URL of its API.
 * @throws BunkerError `invalid_registry_name`
 */
export function parseLoginName(text: string): LoginName {
  const isUrl = /^https?:\/\//.test(text);
  const bare = text.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  const [host = "", ...rest] = bare.split("/");
  const registry = /^(?:index\.docker\.io|registry-1\.docker\.io)$/.test(host) ? "docker.io" : host;
  // Of a URL the path is the API's: /v1/, /v2/.
  const name = isUrl ? registry : [registry, ...rest].join("/");
  try {
    // A host as such may be without a dot; behind a slash, with a port, it is certain to be read as one.
    parseReference(`${/[.:]/.test(registry) ? registry : `${registry}:443`}/${isUrl ? "x" : rest.join("/") || "x"}`);
  } catch (cause) {
    throw new BunkerError(
      {
        code: "invalid_registry_name",
        operation: "read the registry's name",
        object: JSON.stringify(text),
        reason: "it is not HOST[:PORT] or HOST[:PORT]/REPOSITORY",
      },
      { cause },
    );
  }
  return { registry, name };
}
