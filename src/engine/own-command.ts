/** The words that start `bunker internal …`: this executable again, or Bun and the script it was started with. */
export function internalCommand(words: readonly string[]): string[] {
  const script = Bun.main.startsWith("/$bunfs/") ? [] : [Bun.main];
  return [process.execPath, ...script, "internal", ...words];
}
