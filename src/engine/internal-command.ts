import { ownScript } from "../sys/own-command.ts";

/** The words that start `bunker internal …`. */
export function internalCommand(words: readonly string[]): string[] {
  return [process.execPath, ...ownScript(), "internal", ...words];
}
