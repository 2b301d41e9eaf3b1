import { BunkerError } from "../sys/error.ts";
import { formatReference, parseReference, withDefaultTag } from "./reference.ts";

/**
 * The full name that a user's name for an image means which is to have it from now on.
 * @throws BunkerError `invalid_reference`, also for a name with a digest
 */
export function newImageName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined) return formatReference(withDefaultTag(reference));
  throw new BunkerError({
    code: "invalid_reference",
    operation: `refusing to create a tag with a digest reference: ${JSON.stringify(text)}`,
    hint: "A digest says what an image is; it cannot be given. Leave it away.",
  });
}
