/** Names of images in every place that one can be copied from or to. */
import { BunkerError } from "../../sys/error.ts";
import { parseReference, type Reference, withDefaultTag } from "../reference.ts";

/** A place of an image on disk. */
export interface LocalPlace {
  readonly kind: "oci" | "oci-archive" | "docker-archive" | "dir";
  readonly path: string;
  /** What the image is called there; never for `dir`. */
  readonly tag: string | undefined;
}

/** Where an image is. The name of one in the store may also be an id. */
export type ImagePlace =
  | LocalPlace
  | { readonly kind: "registry"; readonly reference: Reference }
  | { readonly kind: "store"; readonly name: string };

const localKinds: readonly string[] = ["oci", "oci-archive", "docker-archive", "dir"] satisfies LocalPlace["kind"][];

/** Transports of containers-transports(5) that are none of Bunker's. */
const otherTransports: readonly string[] = ["docker-daemon", "ostree", "sif", "tarball"];

/**
 * Parses `docker://NAME`, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME[:TAG]]`, `dir:DIR`,
 * `containers-storage:NAME`, or the bare name of an image in the store; containers-transports(5). A path ends at its
 * first colon.
 * @throws BunkerError `invalid_image_name`, `invalid_reference`
 */
export function parseImagePlace(text: string): ImagePlace {
  if (text.includes("\0")) throw invalid(text, "it contains a NUL byte");
  if (text.startsWith("docker://")) {
    const name = text.slice("docker://".length);
    return { kind: "registry", reference: withDefaultTag(parseReference(name)) };
  }
  const colon = text.indexOf(":");
  const transport = colon < 0 ? "" : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (transport === "docker")
    throw invalid(text, "two slashes are missing", `Write docker://${rest.replace(/^\/+/, "")}.`);
  if (otherTransports.includes(transport)) {
    const known = "docker://, oci:, oci-archive:, docker-archive:, dir: or containers-storage:";
    throw invalid(text, `images are not copied from or to ${transport}:`, `Give a name in the store, or ${known}.`);
  }
  if (transport === "containers-storage") return { kind: "store", name: storeName(text, rest) };
  return parseLocalPlace(text) ?? { kind: "store", name: storeName(text, text) };
}

/**
 * Parses the place of an image on disk, as `parseImagePlace` does.
 * @returns undefined for the name of an image elsewhere
 * @throws BunkerError `invalid_image_name`
 */
export function parseLocalPlace(text: string): LocalPlace | undefined {
  const [transport = "", path = "", ...rest] = text.split(":");
  if (!isLocalKind(transport)) return undefined;
  if (text.includes("\0")) throw invalid(text, "it contains a NUL byte");
  if (transport === "dir") return { kind: transport, path: givenPath(text, [path, ...rest].join(":")), tag: undefined };
  const tag = rest.length === 0 ? undefined : rest.join(":");
  if (tag === "") throw invalid(text, "there is nothing after the last colon");
  return { kind: transport, path: givenPath(text, path), tag };
}

function givenPath(text: string, path: string): string {
  if (path === "") throw invalid(text, "the path is missing");
  return path;
}

function isLocalKind(transport: string): transport is LocalPlace["kind"] {
  return localKinds.includes(transport);
}

function storeName(text: string, name: string): string {
  if (name === "") throw invalid(text, "the name is missing");
  return name;
}

function invalid(text: string, reason: string, hint?: string): BunkerError {
  return new BunkerError({
    code: "invalid_image_name",
    operation: "find the image",
    object: JSON.stringify(text),
    reason,
    hint,
  });
}

/** A place on disk as the user would write it. */
export function formatLocalPlace({ kind, path, tag }: LocalPlace): string {
  return tag === undefined ? `${kind}:${path}` : `${kind}:${path}:${tag}`;
}
