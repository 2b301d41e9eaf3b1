import type { Architecture } from "../../../sys/architecture.ts";
import { BETWEEN } from "../json-record-text.ts";
import { emitArm64LineCode } from "./arm64.ts";
import { emitX86LineCode } from "./x86-64.ts";

/**
 * Emits the code that makes records of lines, for every architecture. It is executed when Bunker is built (as a macro),
 * not when it runs.
 * @returns the machine code in base64, by architecture
 */
export function lineCodes(): Record<Architecture, string> {
  return {
    "x86-64": Buffer.from(emitX86LineCode(BETWEEN.length)).toString("base64"),
    arm64: Buffer.from(emitArm64LineCode(BETWEEN.length)).toString("base64"),
  };
}
