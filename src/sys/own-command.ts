/* How this program is started again. */

/** What stands before its own words: nothing for the executable, the script for Bun. */
export function ownScript(): readonly string[] {
  return Bun.main.startsWith("/$bunfs/") ? [] : [Bun.main];
}

/** The words that start it: the executable's name alone, or Bun's and the script. */
export function ownCommand(): string[] {
  const script = ownScript();
  return [script.length === 0 ? "bunker" : "bun", ...script];
}
