import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { type NamespaceCommand, runInterruptibly } from "../../runtime/user-namespace-process.ts";

/**
 * Has a request about a container's files done as root of the user namespace that they are for.
 * @param map undefined for the present user namespace
 * @param command of `bunker internal`
 * @returns its answer, not yet parsed
 * @throws BunkerError that it has reported, and the reason of `signal`
 */
export function askInside(
  map: IdMap | undefined,
  command: "archive" | "pack" | "restore" | "copy",
  request: object,
  process: Omit<NamespaceCommand, "words" | "input">,
  signal: AbortSignal,
): Promise<string> {
  return runInterruptibly(map, { ...process, words: ["internal", command], input: JSON.stringify(request) }, signal);
}
