/**
 * Environment for a process of Bunker's own that works for a second or so: without the last and slowest of the engine's
 * compilers, whose code such a process hardly lives to see. Of a pull it would take a twelfth of the processors' time.
 */
export const WITHOUT_SLOWEST_COMPILER: Readonly<Record<string, string>> = { BUN_JSC_useFTLJIT: "0" };

/** Keeps that environment, which has had its effect by now, from the programs that this process starts. */
export function forgetCompilerSettings(): void {
  for (const name of Object.keys(WITHOUT_SLOWEST_COMPILER)) delete process.env[name];
}
