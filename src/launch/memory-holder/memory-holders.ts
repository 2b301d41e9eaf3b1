import type { Architecture } from "../../sys/architecture.ts";
import { emitArm64MemoryHolder } from "./arm64.ts";
import { emitX86MemoryHolder } from "./x86-64.ts";

/**
 * Emits the code that makes a child which holds its parent's memory, for every architecture: a C function
 * `(clone_args address, clone_args size)` that returns what clone3 does. The path of the directory that the child goes to
 * follows the structure. It is executed when Bunker is built (as a macro), not when it runs.
 * @returns the machine code in base64, by architecture
 */
export function memoryHolders(): Record<Architecture, string> {
  return {
    "x86-64": Buffer.from(emitX86MemoryHolder()).toString("base64"),
    arm64: Buffer.from(emitArm64MemoryHolder()).toString("base64"),
  };
}
