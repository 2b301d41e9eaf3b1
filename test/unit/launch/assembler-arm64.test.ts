import { expect, test } from "bun:test";
import { Arm64Assembler, Condition, STACK_POINTER } from "../../../src/launch/assembler/arm64.ts";
import { disassemble } from "./disassemble.ts";

const instructions: readonly [expected: string, emit: (a: Arm64Assembler) => void][] = [
  ["ret", (a) => a.ret()],
  ["svc #0x0", (a) => a.svc()],
  ["mov x8, #0xfffe", (a) => a.movImmediate(8, 0xfffe)],
  ["mov x19, x2", (a) => a.mov(19, 2)],
  ["add x20, x2, #0x200", (a) => a.addImmediate(20, 2, 512)],
  ["mov x1, sp", (a) => a.addImmediate(1, STACK_POINTER, 0)],
  ["add x20, x21, x9", (a) => a.add(20, 21, 9)],
  ["sub w20, w21, w19", (a) => a.sub32(20, 21, 19)],
  ["neg w10, w3", (a) => a.neg32(10, 3)],
  ["orr x0, x20, x3, lsl #32", (a) => a.orShifted(0, 20, 3, 32)],
  ["lsl x1, x4, x2", (a) => a.lsl(1, 4, 2)],
  ["lsr x6, x7, #56", (a) => a.lsrImmediate(6, 7, 56)],
  ["lsr w20, w21, #6", (a) => a.lsr32Immediate(20, 21, 6)],
  ["cmp x4, x1", (a) => a.cmp(4, 1)],
  ["cmp w9, w10", (a) => a.cmp32(9, 10)],
  ["cmp w9, #0xff", (a) => a.cmp32Immediate(9, 255)],
  ["cmn x3, #0xfff", (a) => a.cmnImmediate(3, 4095)],
  ["ldr x5, [x20, #56]", (a) => a.ldr(5, 20, 56)],
  ["ldrsw x9, [x20, #12]", (a) => a.ldrsw(9, 20, 12)],
  ["ldrh w8, [x20, #4]", (a) => a.ldrh(8, 20, 4)],
  ["str x7, [x2, #64]", (a) => a.str(7, 2, 64)],
  ["strb w6, [x2]", (a) => a.strb(6, 2, 0)],
  ["sub x7, x7, #0x1", (a) => a.subImmediate(7, 7, 1)],
  ["ldrb w9, [x20, #7]", (a) => a.ldrb(9, 20, 7)],
  ["ldr x3, [x19, x4, lsl #3]", (a) => a.ldrScaled(3, 19, 4)],
  ["str x3, [x19, x4, lsl #3]", (a) => a.strScaled(3, 19, 4)],
  ["ldr x3, [x4, x5]", (a) => a.ldrIndexed(3, 4, 5)],
  ["ldrsw x3, [x4, x5]", (a) => a.ldrswIndexed(3, 4, 5)],
  ["str x3, [x4, x5]", (a) => a.strIndexed(3, 4, 5)],
  ["str w3, [x4, x5]", (a) => a.str32Indexed(3, 4, 5)],
  ["str x7, [sp, #-16]!", (a) => a.push(7)],
];

test("every instruction is what binutils reads", () => {
  const assembler = new Arm64Assembler();
  for (const [, emit] of instructions) emit(assembler);
  const lines = disassemble("arm64", assembler.finish());
  expect(lines.map((line) => line.replace(/^[0-9a-f]+: /, ""))).toEqual(instructions.map(([expected]) => expected));
});

test("a wide immediate takes two instructions", () => {
  const assembler = new Arm64Assembler();
  assembler.movImmediate(20, 0xfedc1234);
  expect(disassemble("arm64", assembler.finish())).toEqual(["0: mov x20, #0x1234", "4: movk x20, #0xfedc, lsl #16"]);
});

test("jumps reach labels before and after them", () => {
  const assembler = new Arm64Assembler();
  const before = assembler.label();
  const after = assembler.label();
  assembler.place(before);
  assembler.b(after);
  assembler.b(before);
  assembler.bCondition(Condition.equal, before);
  assembler.bCondition(Condition.notEqual, after);
  assembler.bCondition(Condition.carryClear, before);
  assembler.bCondition(Condition.lowerOrSame, after);
  assembler.bCondition(Condition.less, before);
  assembler.cbz(7, after);
  assembler.cbnz(7, before);
  assembler.tbz(9, 5, before);
  assembler.place(after);
  assembler.ret();
  expect(disassemble("arm64", assembler.finish())).toEqual([
    "0: b 0x28",
    "4: b 0x0",
    "8: b.eq 0x0",
    "c: b.ne 0x28",
    "10: b.cc 0x0",
    "14: b.ls 0x28",
    "18: b.lt 0x0",
    "1c: cbz x7, 0x28",
    "20: cbnz x7, 0x0",
    "24: tbz w9, #5, 0x0",
    "28: ret",
  ]);
});

test("a jump to a label that was never placed is an error", () => {
  const assembler = new Arm64Assembler();
  assembler.b(assembler.label());
  expect(() => assembler.finish()).toThrow("never placed");
});
