/*
 * When JavaScript becomes machine code.
 *
 * The engine interprets a function first and compiles it, on another thread, when it has been called or has looped some
 * hundred times. A command that lives for some dozen milliseconds compiles functions that it will not need again: a
 * fifth of the processor time of `run` went there. So the executable is built with limits that are twenty times as high
 * (scripts/build.ts), and whatever works for longer asks for the usual ones here. If it did not, it would have its
 * machine code some milliseconds later: no loop that takes long stays below the limits.
 */

/** So many times as high the limits are for who is reluctant. */
const RELUCTANCE = 1000;

/** Has functions compiled as soon as the engine usually does, in the calling thread and from now on. */
export function compileReadily(): void {
  Bun.unsafe.setJITPolicy(1);
}

/**
 * Has hardly anything compiled any more, in the calling thread and from now on: for work of a second or so in which the
 * same functions are called for each of some thousand things, once the first of the engine's compilers has made machine
 * code of them. The next one would compile most of them again, with all that they call, which takes longer than it saves.
 * What is called some hundred thousand times still gets there.
 */
export function compileReluctantly(): void {
  Bun.unsafe.setJITPolicy(RELUCTANCE);
}
