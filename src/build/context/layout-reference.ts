import * as v from "valibot";
import { type Digest, digestSchema } from "../../image/digest.ts";
import { BunkerError } from "../../sys/error.ts";

/** An image in an image layout, as `--build-context` names it. */
export interface LayoutReference {
  readonly directory: string;
  readonly tag: string | undefined;
  /** Of its manifest or index; then the tag says nothing. */
  readonly digest: Digest | undefined;
}

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

function invalid(text: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_reference",
    operation: "read the build context",
    object: JSON.stringify(text),
    reason,
    exitStatus: 1,
  });
}
