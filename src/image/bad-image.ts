import { BunkerError } from "../sys/error.ts";

/** Failures that say something of an image itself, which will be the same the next time. */
const CODES: readonly string[] = [
  "archive_invalid",
  "digest_mismatch",
  "image_invalid",
  "image_unsupported",
  "layer_damaged",
  "layer_refused",
  "not_an_image",
  "platform_mismatch",
];

/** Whether something has failed because of what an image is, so that it makes no sense to go on with it later. */
export function isBadImage(error: unknown): boolean {
  return error instanceof BunkerError && CODES.includes(error.code);
}
