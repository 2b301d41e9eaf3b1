/*
 * The interpreter of launch programs for x86-64, about 300 bytes of position-independent code.
 *
 *   rbx            the slots
 *   rbp            the operation being executed
 *   rdi rsi rdx r10 r8 r9   its arguments, where the kernel wants them
 *   rax            its result
 *   rcx            kind, errno, slot number; system calls destroy it, and r11
 *   rsp            untouched but for the record of a failure
 *
 * The stack is only used once the program has failed, nothing is called and no libc is there. Each operation ends at
 * `next` or `otherwise`, which move rbp by the distance that the operation names.
 */
import { systemCallNumber } from "../../sys/system-call-number.ts";
import { Condition, Register, X86Assembler } from "../assembler/x86-64.ts";
import { ERROR_DESCRIPTOR_SLOT, IGNORE_ANY, OperationField, OperationKind, SLOTS_SIZE } from "../operation.ts";
import type { InterpreterEntry } from "./entry.ts";

const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10 } = Register;
const argumentRegisters = [rdi, rsi, rdx, r10, r8, r9];

/** Emits the interpreter for x86-64. */
export function emitX86Interpreter(entry: InterpreterEntry): Uint8Array {
  const a = new X86Assembler();
  const field = (name: keyof typeof OperationField) => ({ base: rbp, displacement: OperationField[name] });
  const slot = (register: number) => ({ base: rbx, index: register, scale: 8 }) as const;

  if (entry === "clone") {
    const child = a.label();
    a.movImmediate(rax, systemCallNumber("clone3", "x86-64"));
    a.syscall();
    a.test(rax, rax);
    a.jcc(Condition.equal, child);
    a.ret();
    a.place(child);
    a.mov(rbx, rdx);
    a.mov(rbp, rdx);
    a.movImmediate(rcx, SLOTS_SIZE);
    a.add(rbp, rcx);
  } else {
    a.movImmediate(rbx, entry.slotsAddress);
    a.movImmediate(rbp, entry.operationsAddress);
    a.movImmediate(rcx, entry.stackSlot);
    a.store(64, slot(rcx), rsp);
  }

  const execute = a.label();
  a.place(execute);
  for (const [index, register] of argumentRegisters.entries()) {
    const isValue = a.label();
    a.load(register, { base: rbp, displacement: OperationField.arguments + 8 * index });
    a.testByte(field("slotMask"), 1 << index);
    a.jcc(Condition.equal, isValue);
    a.load(register, slot(register));
    a.place(isValue);
  }

  const call = a.label();
  const next = a.label();
  const advance = a.label();
  const otherwise = a.label();
  const store = a.label();
  const failure = a.label();
  const kinds = {
    equal: a.label(),
    less: a.label(),
    load32: a.label(),
    load64: a.label(),
    store32: a.label(),
    store64: a.label(),
    add: a.label(),
  };
  a.movzx8(rcx, field("kind"));
  a.cmp32Immediate8(rcx, OperationKind.fork);
  a.jccLong(Condition.belowOrEqual, call);
  for (const [kind, label] of Object.entries(kinds)) {
    a.cmp32Immediate8(rcx, OperationKind[kind as keyof typeof kinds]);
    a.jcc(Condition.equal, label);
  }
  a.mov(rax, rdi); // OperationKind.fail
  a.jmpLong(failure);

  a.place(kinds.equal);
  a.cmp(64, rdi, rsi);
  a.jcc(Condition.equal, otherwise);
  a.jmp(next);
  a.place(kinds.less);
  a.cmp(64, rdi, rsi);
  a.jcc(Condition.less, otherwise);
  a.jmp(next);
  a.place(kinds.load32);
  a.movsxd(rax, { base: rdi, index: rsi });
  a.jmp(store);
  a.place(kinds.load64);
  a.load(rax, { base: rdi, index: rsi });
  a.jmp(store);
  a.place(kinds.store32);
  a.store(32, { base: rdi, index: rsi }, rdx);
  a.jmp(next);
  a.place(kinds.store64);
  a.store(64, { base: rdi, index: rsi }, rdx);
  a.jmp(next);
  a.place(kinds.add);
  a.mov(rcx, rdx);
  a.shlByCl(rsi);
  a.mov(rax, rdi);
  a.add(rax, rsi);

  a.place(store);
  a.movzx8(rcx, field("result"));
  a.store(64, slot(rcx), rax);
  a.place(next);
  a.movsxd(rax, field("next"));
  a.place(advance);
  a.add(rbp, rax);
  a.jmpLong(execute);
  a.place(otherwise);
  a.movsxd(rax, field("otherwise"));
  a.jmp(advance);

  const notForkedChild = a.label();
  const ignored = a.label();
  a.place(call);
  a.movzx16(rax, field("systemCall"));
  a.syscall();
  a.test(rax, rax);
  a.jcc(Condition.notEqual, notForkedChild);
  a.movzx8(rcx, field("kind"));
  a.cmp32Immediate8(rcx, OperationKind.fork);
  a.jcc(Condition.equal, otherwise);
  a.place(notForkedChild);
  a.cmpImmediate32(rax, -4095);
  a.jcc(Condition.below, store);
  a.mov(rdi, rax);
  a.neg32(rdi);
  a.movzx8(rcx, field("firstIgnored"));
  a.cmp(32, rcx, rdi);
  a.jcc(Condition.equal, ignored);
  a.cmpImmediate32(rcx, IGNORE_ANY);
  a.jcc(Condition.equal, ignored);
  a.movzx8(rcx, field("secondIgnored"));
  a.cmp(32, rcx, rdi);
  a.jcc(Condition.notEqual, failure);
  a.place(ignored);
  a.movzx8(rcx, field("result"));
  a.store(64, slot(rcx), rax);
  a.jmp(otherwise);

  // The record: the negated result in the high word, in the low one the operation's place, counted from
  // the slots in units of OPERATION_SIZE.
  a.place(failure);
  a.neg32(rax);
  a.shl(rax, 32);
  a.sub32(rbp, rbx);
  a.shr32(rbp, 6);
  a.or(rax, rbp);
  a.push(rax);
  a.load(rdi, { base: rbx, displacement: 8 * ERROR_DESCRIPTOR_SLOT });
  a.mov(rsi, rsp);
  a.movImmediate(rdx, 8);
  a.movImmediate(rax, systemCallNumber("write", "x86-64"));
  a.syscall();
  a.movImmediate(rdi, 127);
  a.movImmediate(rax, systemCallNumber("exit_group", "x86-64"));
  a.syscall();
  return a.finish();
}
