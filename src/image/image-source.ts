import { BunkerError } from "../sys/error.ts";
import { parseReference } from "./reference.ts";

/** Where the root file system comes from. */
export type ImageSource =
  | { readonly kind: "rootfs"; readonly path: string; readonly overlay: boolean }
  | { readonly kind: "oci"; readonly path: string; readonly tag: string | undefined }
  | { readonly kind: "oci-archive"; readonly path: string; readonly tag: string | undefined }
  | { readonly kind: "docker-archive"; readonly path: string; readonly tag: string | undefined }
  /** In the store, or in a registry and soon in the store: a name, an id or the beginning of an id. */
  | { readonly kind: "stored"; readonly name: string };

/** A source that is an image in the sense of OCI or Docker, in local files. */
export type LocalImageSource = Exclude<ImageSource, { kind: "rootfs" } | { kind: "stored" }>;

const LOCAL_TRANSPORTS = ["oci:", "oci-archive:", "docker-archive:"];
const REGISTRY_TRANSPORT = "docker://";
const ID_LENGTH = 64;

/**
 * Parses the name of any image: one in local files as `parseImageName` does, everything else as Docker has it. `docker://`
 * may stand before the name of one in a registry.
 * @throws BunkerError `invalid_image_name`, `invalid_reference`
 */
export function parseImageSource(text: string): Exclude<ImageSource, { kind: "rootfs" }> {
  if (LOCAL_TRANSPORTS.some((transport) => text.startsWith(transport))) return parseImageName(text);
  const name = text.startsWith(REGISTRY_TRANSPORT) ? text.slice(REGISTRY_TRANSPORT.length) : text;
  // Few names can be an id, and a pattern is compiled when it is first tried, which takes 0.1 ms and more.
  const mayBeId = name.length === ID_LENGTH || name.startsWith("sha256:");
  if (!mayBeId || !isImageId(name)) parseReference(name);
  return { kind: "stored", name };
}

function isImageId(text: string): boolean {
  return /^(?:sha256:[0-9a-f]+|[0-9a-f]{64})$/.test(text);
}

/**
 * Parses the name of an image in local files, as containers-transports(5) defines them: `oci:DIR[:tag]`,
 * `oci-archive:FILE[:tag]`, `docker-archive:FILE[:name[:tag]]`, and `:@N` for the image at place N. The path ends at
 * its first colon.
 * @throws BunkerError `invalid_image_name` for anything else
 */
export function parseImageName(text: string): LocalImageSource {
  const [transport, path, tag] = splitName(text);
  if (transport !== "oci" && transport !== "oci-archive" && transport !== "docker-archive") {
    throw new BunkerError({
      code: "invalid_image_name",
      operation: "find the image",
      object: JSON.stringify(text),
      reason: "it is not the name of an image in local files",
      hint: "Give oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME[:TAG]].",
    });
  }
  if (path === "") throw invalid(text, "the path is missing");
  if (text.includes("\0")) throw invalid(text, "it contains a NUL byte");
  if (tag === "") throw invalid(text, "there is nothing after the last colon");
  return { kind: transport, path, tag };
}

function splitName(text: string): [transport: string, path: string, tag: string | undefined] {
  const [transport = "", path = "", ...rest] = text.split(":");
  return [transport, path, rest.length === 0 ? undefined : rest.join(":")];
}

function invalid(text: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_image_name",
    operation: "find the image",
    object: JSON.stringify(text),
    reason,
  });
}

/** A source as the user would write it. */
export function formatImageSource(source: ImageSource): string {
  if (source.kind === "rootfs") return source.path;
  if (source.kind === "stored") return source.name;
  return source.tag === undefined ? `${source.kind}:${source.path}` : `${source.kind}:${source.path}:${source.tag}`;
}
