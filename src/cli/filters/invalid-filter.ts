import { BunkerError } from "../../sys/error.ts";

/** The error for a filter that means nothing: `until=yesterday`. The command fails then as for what is not there. */
export function invalidFilter(filter: string, reason: string): BunkerError {
  return new BunkerError({ code: "invalid_filter", operation: "filter by", object: filter, reason, exitStatus: 1 });
}
