import { writeFileSync } from "node:fs";
import type { Digest } from "../../image/digest.ts";
import { writeError } from "../../sys/write-error.ts";
import { single } from "../option.ts";
import { notEmpty } from "../values/words.ts";

/** `--digestfile` */
export const digestFileOption = single({
  name: "digestfile",
  valueName: "FILE",
  description: "Write the digest of the image at its destination to a file",
  parse: notEmpty("expected a path"),
});

/**
 * Writes the file, if one was asked for.
 * @throws BunkerError `write_failed`, `no_space`
 */
export function writeDigestFile(path: string | undefined, digest: Digest): void {
  if (path === undefined) return;
  try {
    writeFileSync(path, digest);
  } catch (cause) {
    throw writeError(cause, "write the digest to", path);
  }
}
