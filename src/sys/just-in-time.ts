/*
 * When JavaScript becomes machine code.
 *
 * The engine interprets a function first and compiles it, on another thread, when it has been called or has looped some
 * hundred times. A command that lives for some dozen milliseconds compiles functions that it will not need again: a
 * fifth of the processor time of `run` went there. So the executable is built with limits that are twenty times as high
 * (scripts/build.ts), and whatever works for longer asks for the usual ones here. If it did not, it would have its
 * machine code some milliseconds later: no loop that takes long stays below the limits.
 */

/** Has functions compiled as soon as the engine usually does, in the calling thread and from now on. */
export function compileReadily(): void {
  Bun.unsafe.setJITPolicy(1);
}
