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

/**
 * Settings of JavaScriptCore and of the allocator for processes that serve for long, in the environment that they are
 * started with.
 *
 * They hand data from one descriptor to the other, and what their JavaScript costs beside the kernel's work is little,
 * whichever compiler has made it. The last one, FTL, takes half a second of processor time in the first seconds of
 * traffic, just when the programs at both ends want it. And a thread that keeps memory ready for a heap that grows costs
 * each of them, most of which never need it, more than half a megabyte. Large pages, and memory that is never given back,
 * by which commands are done sooner (scripts/executable/allocator-options.ts), would cost each of them several megabytes.
 */
export const SERVING_SETTINGS: readonly string[] = [
  "BUN_JSC_useFTLJIT=0",
  "BUN_JSC_useWarmUpMarkedBlocks=0",
  "MIMALLOC_ALLOW_THP=0",
  "MIMALLOC_PURGE_DELAY=100",
];

/** The environment of a process that is started again to serve for long: this one's, and the settings. */
export function servingEnvironment(): string[] {
  const names = SERVING_SETTINGS.map((setting) => setting.slice(0, setting.indexOf("=")));
  const others = Object.entries(process.env).filter(([name]) => !names.includes(name));
  return [...others.map(([name, value]) => `${name}=${value}`), ...SERVING_SETTINGS];
}
