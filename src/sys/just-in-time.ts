/*
 * When JavaScript becomes machine code.
 *
 * The engine interprets a function first and compiles it, on another thread, when it has been called or has looped some
 * hundred times. A command that lives for some dozen milliseconds compiles functions that it will not need again: a
 * fifth of the processor time of `run` went there. So the executable is built with limits that are twenty times as high
 * (scripts/build.ts), and whatever works for longer asks for the usual ones here. If it did not, it would have its
 * machine code some milliseconds later: no loop that takes long stays below the limits.
 */

/**
 * Environment for a process of Bunker's own that works for a second or so: without the last and slowest of the engine's
 * compilers, whose code such a process hardly lives to see. Of a pull it would take a twelfth of the processors' time.
 */
export const WITHOUT_SLOWEST_COMPILER: Readonly<Record<string, string>> = { BUN_JSC_useFTLJIT: "0" };

/** Keeps that environment, which has had its effect by now, from the programs that this process starts. */
export function forgetCompilerSettings(): void {
  for (const name of Object.keys(WITHOUT_SLOWEST_COMPILER)) delete process.env[name];
}

/** Has functions compiled as soon as the engine usually does, in the calling thread and from now on. */
export function compileReadily(): void {
  Bun.unsafe.setJITPolicy(1);
}
