import { BunkerError } from "../../sys/error.ts";
import { flag } from "../option.ts";

/** Docker's `--disable-content-trust`, on as in Docker; off is refused. */
export const disableContentTrustOption = flag({
  name: "disable-content-trust",
  initial: true,
  description: "Do without Docker Content Trust; there is nothing else",
});

/** That Docker Content Trust was asked for. */
export function contentTrustUnknown(operation: string, object: string): BunkerError {
  return new BunkerError({
    code: "not_supported",
    operation,
    object,
    reason: "Bunker does not know Docker Content Trust, whose servers have been shut down",
    hint: "Leave --disable-content-trust=false out; a name with a digest (NAME@sha256:…) cannot be tampered with.",
  });
}
