import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { emitInterpreter } from "../../../src/launch/interpreter/emit.ts";
import { disassemble } from "./disassemble.ts";

describe.each(["x86-64", "arm64"] as const)("the interpreter for %s", (architecture) => {
  const code = emitInterpreter(architecture, "clone");

  test("is the code that was reviewed", () => {
    const reviewed = readFileSync(join(import.meta.dir, `interpreter-${architecture}.asm`), "utf8");
    expect(disassemble(architecture, code)).toEqual(reviewed.trimEnd().split("\n"));
  });

  test("is small", () => {
    expect(code.length).toBeLessThan(400);
  });

  test("as a program begins with the addresses and the stack pointer", () => {
    const entry = { slotsAddress: 0x410000, operationsAddress: 0x4002a0, stackSlot: 2 };
    const expected = {
      "x86-64": ["mov ebx,0x410000", "mov ebp,0x4002a0", "mov ecx,0x2", "mov QWORD PTR [rbx+rcx*8],rsp"],
      arm64: [
        "mov x19, #0x0",
        "movk x19, #0x41, lsl #16",
        "mov x20, #0x2a0",
        "movk x20, #0x40, lsl #16",
        "mov x9, #0x2",
        "mov x0, sp",
        "str x0, [x19, x9, lsl #3]",
      ],
    }[architecture];
    const lines = disassemble(architecture, emitInterpreter(architecture, entry));
    expect(lines.slice(0, expected.length).map((line) => line.replace(/^[0-9a-f]+: /, ""))).toEqual(expected);
  });
});
