import type { Architecture } from "../../sys/architecture.ts";
import { emitInterpreter } from "./emit.ts";

/**
 * Emits the interpreter that begins with a clone, for every architecture. It is executed when Bunker is built (as a
 * macro), not when it runs: assembling costs a millisecond of each start.
 * @returns the machine code in base64, by architecture
 */
export function cloneInterpreters(): Record<Architecture, string> {
  const emit = (architecture: Architecture) => Buffer.from(emitInterpreter(architecture, "clone")).toString("base64");
  return { "x86-64": emit("x86-64"), arm64: emit("arm64") };
}
