import { statSync } from "node:fs";
import * as v from "valibot";
import { type Digest, digestSchema } from "../../image/digest.ts";
import { readLayoutIndex } from "../../image/image-layout.ts";
import { blobPath, directoryFiles } from "../../image/layout-files.ts";
import { TAG_ANNOTATION } from "../../image/manifest-choice.ts";
import type { Platform } from "../../image/platform.ts";
import { layoutReader, openLayoutReader } from "../../image/transport/layout-reader.ts";
import type { ImageReader } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";

/** An image in an image layout, as `--build-context` names it. */
export interface LayoutReference {
  readonly directory: string;
  readonly tag: string | undefined;
  /** Of its manifest or index; then the tag says nothing. */
  readonly digest: Digest | undefined;
}

const DEFAULT_TAG = "latest";

/**
 * Reads `oci-layout://DIRECTORY[:TAG][@DIGEST]`.
 * @returns undefined for anything else
 * @throws BunkerError `invalid_reference`
 */
export function parseLayoutReference(text: string): LayoutReference | undefined {
  const [, directory, tag, digest] = /^oci-layout:\/\/([^:@]+)(?::([^@]+))?(?:@(.+))?$/s.exec(text) ?? [];
  if (directory === undefined) {
    if (text.startsWith("oci-layout://")) throw invalid(text, "expected oci-layout://DIRECTORY[:TAG][@DIGEST]");
    return undefined;
  }
  if (digest === undefined) return { directory, tag, digest: undefined };
  const parsed = v.safeParse(digestSchema, digest);
  if (!parsed.success) throw invalid(text, "what follows the @ is no digest");
  return { directory, tag, digest: parsed.output };
}

/**
 * Opens an image of a layout. Without tag and digest that is the one called `latest`, or the only one.
 * @param name for messages
 * @throws BunkerError `context_not_found`, and as `openLayoutReader`
 */
export function openLayoutImage(
  { directory, tag, digest }: LayoutReference,
  platform: Platform,
  name: string,
): ImageReader {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    throw new BunkerError({
      code: "context_not_found",
      operation: "open the build context",
      object: directory,
      reason: "there is no such directory",
      exitStatus: 1,
    });
  }
  const files = directoryFiles(directory, name);
  const { manifests } = readLayoutIndex(files, name);
  if (digest !== undefined) {
    const known = manifests.find((each) => each.digest === digest);
    const { size } = files.locate(blobPath(digest));
    return layoutReader(files, known ?? { mediaType: "", digest, size, platform: undefined, annotations: {} }, name);
  }
  const hasLatest = manifests.some(({ annotations }) => annotations[TAG_ANNOTATION] === DEFAULT_TAG);
  return openLayoutReader(files, tag ?? (hasLatest ? DEFAULT_TAG : undefined), platform, name);
}

function invalid(text: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_reference",
    operation: "read the build context",
    object: JSON.stringify(text),
    reason,
    exitStatus: 1,
  });
}
