import { renderUsage } from "citty";
import type { DescribedCommand } from "./described-command.ts";

/**
 * Prints the help of a command on standard output, in colour where that is a terminal and NO_COLOR is not set
 * (no-color.org).
 * @param command its `meta.name` as typed, groups included
 * @returns the exit status
 */
export async function printHelp(command: DescribedCommand): Promise<number> {
  const usage = await renderUsage(command);
  const text = (await wantsColour()) ? usage : Bun.stripANSI(usage);
  // citty fills its last column with blanks and may end with an empty line.
  console.log(text.replace(/ +$/gm, "").trimEnd());
  return 0;
}

/** Bun has looked at the environment and whether output or errors go to a terminal; only then it is worth asking which. */
async function wantsColour(): Promise<boolean> {
  if (!Bun.enableANSIColors) return false;
  const { isTerminal } = await import("../sys/terminal.ts");
  return isTerminal(1);
}
