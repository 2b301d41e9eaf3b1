import type { Architecture } from "../../sys/architecture.ts";
import { emitArm64Interpreter } from "./arm64.ts";
import type { InterpreterEntry } from "./entry.ts";
import { emitX86Interpreter } from "./x86-64.ts";

/** Emits the interpreter of launch programs for an architecture. */
export function emitInterpreter(architecture: Architecture, entry: InterpreterEntry): Uint8Array {
  return architecture === "x86-64" ? emitX86Interpreter(entry) : emitArm64Interpreter(entry);
}
