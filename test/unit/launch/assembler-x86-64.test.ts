import { expect, test } from "bun:test";
import { Condition, Register, X86Assembler } from "../../../src/launch/assembler/x86-64.ts";
import { disassemble } from "./disassemble.ts";

const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10 } = Register;

const instructions: readonly [expected: string, emit: (a: X86Assembler) => void][] = [
  ["ret", (a) => a.ret()],
  ["syscall", (a) => a.syscall()],
  ["push rbp", (a) => a.push(rbp)],
  ["mov esi,0xfedcba98", (a) => a.movImmediate(rsi, 0xfedcba98)],
  ["mov rdx,rsp", (a) => a.mov(rdx, rsp)],
  ["mov r9,rcx", (a) => a.mov(r9, rcx)],
  ["mov rcx,r10", (a) => a.mov(rcx, r10)],
  ["mov rdi,QWORD PTR [rbx]", (a) => a.load(rdi, { base: rbx })],
  ["mov rdi,QWORD PTR [rbp+0x0]", (a) => a.load(rdi, { base: rbp })],
  ["mov r8,QWORD PTR [rbp+0x38]", (a) => a.load(r8, { base: rbp, displacement: 0x38 })],
  ["mov rax,QWORD PTR [r9-0x8]", (a) => a.load(rax, { base: r9, displacement: -8 })],
  ["mov r10,QWORD PTR [rbx+r10*8]", (a) => a.load(r10, { base: rbx, index: r10, scale: 8 })],
  ["mov rax,QWORD PTR [rbp+rsi*1+0x0]", (a) => a.load(rax, { base: rbp, index: rsi })],
  ["mov QWORD PTR [rbx+rcx*8],rsp", (a) => a.store(64, { base: rbx, index: rcx, scale: 8 }, rsp)],
  ["mov DWORD PTR [rdi+rsi*1],edx", (a) => a.store(32, { base: rdi, index: rsi }, rdx)],
  ["mov DWORD PTR [r8+r9*1],r10d", (a) => a.store(32, { base: r8, index: r9 }, r10)],
  ["mov BYTE PTR [rdx],cl", (a) => a.store8({ base: rdx }, rcx)],
  ["movsxd rax,DWORD PTR [rbp+0xc]", (a) => a.movsxd(rax, { base: rbp, displacement: 12 })],
  ["movzx ecx,BYTE PTR [rbp+0x2]", (a) => a.movzx8(rcx, { base: rbp, displacement: 2 })],
  ["movzx eax,WORD PTR [rbp+0x4]", (a) => a.movzx16(rax, { base: rbp, displacement: 4 })],
  ["add rbp,rax", (a) => a.add(rbp, rax)],
  ["add rdx,0x47", (a) => a.addImmediate8(rdx, 0x47)],
  ["add r8,0xffffffffffffffff", (a) => a.addImmediate8(r8, -1)],
  ["sub ebp,ebx", (a) => a.sub32(rbp, rbx)],
  ["or rax,rbp", (a) => a.or(rax, rbp)],
  ["neg edi", (a) => a.neg32(rdi)],
  ["test rax,rax", (a) => a.test(rax, rax)],
  ["test rcx,rdx", (a) => a.test(rcx, rdx)],
  ["test BYTE PTR [rbp+0x1],0x20", (a) => a.testByte({ base: rbp, displacement: 1 }, 0x20)],
  ["cmp ecx,edi", (a) => a.cmp(32, rcx, rdi)],
  ["cmp rdi,rsi", (a) => a.cmp(64, rdi, rsi)],
  ["cmp ecx,0x1", (a) => a.cmp32Immediate8(rcx, 1)],
  ["cmp rax,0xfffffffffffff001", (a) => a.cmpImmediate32(rax, -4095)],
  ["shl rsi,cl", (a) => a.shlByCl(rsi)],
  ["shl rax,0x20", (a) => a.shl(rax, 32)],
  ["shr rax,0x38", (a) => a.shr(rax, 56)],
  ["shr ebp,0x6", (a) => a.shr32(rbp, 6)],
  ["movdqu xmm0,XMMWORD PTR [rsi]", (a) => a.movdquLoad(0, { base: rsi })],
  ["movdqu XMMWORD PTR [rdx],xmm7", (a) => a.movdquStore({ base: rdx }, 7)],
  ["movdqa xmm1,xmm6", (a) => a.movdqa(1, 6)],
  ["pcmpgtb xmm1,XMMWORD PTR [r9-0x60]", (a) => a.pcmpgtb(1, { base: r9, displacement: -96 })],
  ["pcmpeqb xmm2,XMMWORD PTR [r9-0x50]", (a) => a.pcmpeqb(2, { base: r9, displacement: -80 })],
  ["por xmm2,xmm3", (a) => a.por(2, 3)],
  ["pandn xmm2,xmm1", (a) => a.pandn(2, 1)],
  ["pmovmskb eax,xmm2", (a) => a.pmovmskb(rax, 2)],
  ["bsf eax,ecx", (a) => a.bsf32(rax, rcx)],
];

test("every instruction is what binutils reads", () => {
  const assembler = new X86Assembler();
  for (const [, emit] of instructions) emit(assembler);
  const lines = disassemble("x86-64", assembler.finish());
  expect(lines.map((line) => line.replace(/^[0-9a-f]+: /, ""))).toEqual(instructions.map(([expected]) => expected));
});

test("jumps reach labels before and after them", () => {
  const assembler = new X86Assembler();
  const before = assembler.label();
  const after = assembler.label();
  assembler.place(before);
  assembler.jmp(after);
  assembler.jcc(Condition.below, before);
  assembler.jcc(Condition.equal, after);
  assembler.jcc(Condition.notEqual, before);
  assembler.jcc(Condition.belowOrEqual, before);
  assembler.jcc(Condition.less, before);
  assembler.jmpLong(before);
  assembler.jccLong(Condition.equal, after);
  assembler.place(after);
  assembler.ret();
  expect(disassemble("x86-64", assembler.finish())).toEqual([
    "0: jmp 0x17",
    "2: jb 0x0",
    "4: je 0x17",
    "6: jne 0x0",
    "8: jbe 0x0",
    "a: jl 0x0",
    "c: jmp 0x0",
    "11: je 0x17",
    "17: ret",
  ]);
});

test("a short jump reaches 127 bytes and no further", () => {
  const jumpOver = (count: number) => {
    const assembler = new X86Assembler();
    const end = assembler.label();
    assembler.jmp(end);
    for (let index = 0; index < count; index++) assembler.ret();
    assembler.place(end);
    return assembler.finish();
  };
  expect(jumpOver(127)[1]).toBe(127);
  expect(() => jumpOver(128)).toThrow("short jump over 128 bytes");
});

test("a jump to a label that was never placed is an error", () => {
  const assembler = new X86Assembler();
  assembler.jmp(assembler.label());
  expect(() => assembler.finish()).toThrow("never placed");
});

test("a base register that needs another form of address is refused", () => {
  expect(() => new X86Assembler().load(rax, { base: rsp })).toThrow("rsp");
});
